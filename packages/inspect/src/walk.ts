// Walk: one DMA through the recorded tables, entry by entry, to an address or to the reason why it stops.
import { decodeField } from '@iommu/bits'
import { fetchScalableContext, Stopped, translate } from '@iommu/driver-intel-vtd/model'
import { pasidEntry } from '@iommu/driver-intel-vtd/tables'
import { first } from '@iommu/hardware'
import type { DmaRequest, Outcome, Step } from '@iommu/hardware'
import type { Capture } from './capture.js'
import { InputError } from './input-error.js'
import { PASIDS_OFF } from './inspect.js'
import { unitOf } from './unit.js'
import type { Unit } from './unit.js'

export interface WalkQuestion {
  /** The 16-bit requester id. */
  readonly source: number
  readonly pasid?: number
  readonly iova: bigint
  readonly access: 'read' | 'write'
}

export interface WalkedStep {
  readonly entry: string
  readonly address: string | null
  readonly words: readonly string[]
  readonly note: string
}

/** One element of `iommu.walk/1`. */
export interface WalkResult {
  readonly iova: string
  readonly access: 'read' | 'write'
  readonly outcome: 'translated' | 'blocked'
  readonly address?: string
  readonly permissions?: { readonly read: boolean; readonly write: boolean }
  readonly pageSize?: string
  /** Under which tag hardware caches the translation: "domain 5". */
  readonly tag?: string
  readonly fault?: { readonly code: number; readonly name: string; readonly recorded: boolean; readonly note?: string }
  /** What the answer rests on, where that is not the tables alone. */
  readonly caution?: string
  readonly steps: readonly WalkedStep[]
}

const hex = (value: bigint): string => `0x${value.toString(16)}`
const hexWord = (word: bigint): string => `0x${word.toString(16).padStart(16, '0')}`

const stepOf = ({ entry, address, words, note }: Step): WalkedStep =>
  ({ entry, address: address === undefined ? null : hex(address), words: words.map(hexWord), note })

/** What people see in their logs in place of a code of ours. */
const SEEN_AS: Readonly<Record<number, string>> = {
  0x59: 'QEMU reports 0x5b where the whole entry is zero',
  0x79: 'QEMU reports 0x05 for writes and 0x06 for reads here',
}

interface Walked {
  readonly outcome: Outcome
  readonly caution?: string
}

/**
 * The walk of a request with PASID where the context entry has PASIDE=0. The question is then about tables that a
 * driver has filled before it let the device use them (so do QEMU's devices, which have no PASID capability, and
 * QEMU does not check the bit): the walk goes on as if PASIDE were set, and says so.
 */
const beyondPasidEnable = (unit: Unit, request: DmaRequest, steps: Step[]): Walked | undefined => {
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
    throw error
  }
  steps.push(...own)
  return {
    outcome: translate(hardware, request, { choose: first, cached: true, fills: false, steps }),
    caution: PASIDS_OFF,
  }
}

const refuseNested = (unit: Unit, capture: Capture, outcome: Outcome, steps: readonly Step[]): void => {
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

/**
 * What becomes of one DMA. Throws InputError where a page is needed that was not recorded; whether a requester id is
 * one of the capture's devices is the caller's business.
 */
export const walkCapture = (capture: Capture, { source, pasid, iova, access }: WalkQuestion): WalkResult => {
  const unit = unitOf(capture)
  const steps: Step[] = []
  const request: DmaRequest = {
    source, kind: 'untranslated', address: iova, access, ...(pasid === undefined ? {} : { pasid }),
  }
  const { outcome, caution } = beyondPasidEnable(unit, request, steps)
    ?? { outcome: translate(unit.hardware(), request, { choose: first, cached: false, fills: false, steps }) }
  refuseNested(unit, capture, outcome, steps)
  const about = { iova: hex(iova), access, ...(caution === undefined ? {} : { caution }), steps: steps.map(stepOf) }
  if (outcome.result === 'blocked') {
    const { fault } = outcome
    const note = SEEN_AS[fault?.code ?? -1]
    return {
      ...about, outcome: 'blocked',
      ...(fault === undefined ? {} : { fault: { ...fault, ...(note === undefined ? {} : { note }) } }),
    }
  }
  const { address, permissions, pageSize, tag } = outcome
  return { ...about, outcome: 'translated', address: hex(address), permissions, pageSize: hex(pageSize), tag }
}
