// Walk: one DMA through VT-d's model over the recorded tables.
import { decodeField } from '@iommu/bits'
import { fetchScalableContext, Stopped, translate } from '@iommu/driver-intel-vtd/model'
import { pasidEntry } from '@iommu/driver-intel-vtd/tables'
import { walking } from '@iommu/hardware'
import type { DmaRequest, Outcome, Step } from '@iommu/hardware'
import type { Capture } from '../capture.js'
import { InputError } from '../input-error.js'
import { hex } from '../spell.js'
import type { Walked, WalkQuestion, Way } from '../vendor.js'
import { PASIDS_OFF } from './judge.js'
import type { VtdUnit } from './unit.js'

/** What people see in their logs in place of a code of ours. */
const SEEN_AS: Readonly<Record<number, string>> = {
  0x59: 'QEMU reports 0x5b where the whole entry is zero',
  0x79: 'QEMU reports 0x05 for writes and 0x06 for reads here',
}

/**
 * The walk of a request with PASID where the context entry has PASIDE=0. The question is then about tables that a
 * driver has filled before it let the device use them (so do QEMU's devices, which have no PASID capability, and
 * QEMU does not check the bit): the walk goes on as if PASIDE were set, and says so.
 */
const beyondPasidEnable = (unit: VtdUnit, request: DmaRequest, way: Way): Outcome | undefined => {
  if (request.pasid === undefined || unit.mode !== 'scalable') return undefined
  const own: Step[] = []
  const hardware = unit.hardware()
  try {
    const context = fetchScalableContext(unit.reader(own), unit.rootTable, request.source)
    if (context.pasids) return undefined
    // The hardware model takes a context entry that it has kept from its cache: there the bit is set.
    const tag = { source: request.source, pasid: 0, domainId: 0, absent: false }
    hardware.caches.contexts.keep(request.source, tag, { ...context, pasids: true })
  } catch (error) {
    if (error instanceof Stopped) return undefined
    way.steps.push(...own)
    throw error
  }
  way.steps.push(...own)
  way.caution = PASIDS_OFF
  return translate(hardware, request, walking(way.steps, true))
}

const refuseNested = (unit: VtdUnit, capture: Capture, outcome: Outcome, steps: readonly Step[]): void => {
  const last = steps[steps.length - 1]
  const refused = outcome.result === 'blocked' && outcome.fault?.code === 0x5b
  if (!unit.nested || !refused || last?.entry !== 'vtd.pasid') return
  if (decodeField(pasidEntry, last.words, 'PGTT') !== 3) return
  throw new InputError({
    file: capture.names.bytes,
    place: `PASID entry at ${hex(last.address as bigint)}`,
    expected: 'first stage, second stage or pass-through',
    found: 'nested translation, which this version does not walk',
  })
}

/** What becomes of one DMA. Throws InputError for nested translation. */
export const walk = (unit: VtdUnit, capture: Capture, { source, pasid, iova, access }: WalkQuestion, way: Way): Walked => {
  const request: DmaRequest = {
    source, kind: 'untranslated', address: iova, access, ...(pasid === undefined ? {} : { pasid }),
  }
  const outcome = beyondPasidEnable(unit, request, way) ?? translate(unit.hardware(), request, walking(way.steps))
  refuseNested(unit, capture, outcome, way.steps)
  const seenAs = outcome.result === 'blocked' ? SEEN_AS[outcome.fault?.code ?? -1] : undefined
  return { outcome, ...(seenAs === undefined ? {} : { seenAs }) }
}
