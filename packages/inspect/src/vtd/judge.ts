// What the tables make of one requester id or PASID: identity, blocked, translated or invalid, and why.
import { decode } from '@iommu/bits'
import { fetchLegacyContext, fetchPasid, fetchScalableContext, Stopped } from '@iommu/driver-intel-vtd/model'
import type { ScalableContext } from '@iommu/driver-intel-vtd/model'
import { faultReasons } from '@iommu/driver-intel-vtd/registers'
import { pasidEntry } from '@iommu/driver-intel-vtd/tables'
import type { Step } from '@iommu/hardware'
import { hex, hexCode } from '../spell.js'
import type { RequesterVerdict } from '../vendor.js'
import type { Verdict } from '../verdict.js'
import { titleOf } from './entries.js'
import { presentPasids } from './pasids.js'
import type { VtdUnit } from './unit.js'

/** What is said wherever a context entry does not let requests with PASID through. */
export const PASIDS_OFF =
  'the context entry has PASIDE=0: by the architecture requests with PASID are refused (reason 0x45)'

/** Reasons that mean "nobody set this up", as opposed to "set up wrongly": entries that are not present. */
const NOT_PRESENT: ReadonlySet<number> = new Set([0x01, 0x02, 0x39, 0x41, 0x51, 0x59])

/** The last entry that was read, with its address and what it said. */
const lastWord = (steps: readonly Step[]): string => {
  const step = steps[steps.length - 1]
  if (step === undefined) return 'no entry was read'
  const at = step.address === undefined ? '' : ` at ${hex(step.address)}`
  return `${titleOf(step.entry)}${at}: ${step.note}`
}

const nestedEntry = ({ nested }: VtdUnit, code: number, steps: readonly Step[]): Verdict | undefined => {
  const step = steps[steps.length - 1]
  if (!nested || code !== 0x5b || step?.entry !== 'vtd.pasid') return undefined
  const { PGTT, DID, FSPTPTR, SSPTPTR } = decode(pasidEntry, step.words)
  if (PGTT !== 3) return undefined
  return {
    effect: 'translated', domainId: DID,
    why: `${pasidEntry.title} at ${hex(step.address as bigint)}: nested, first stage at guest address ${hex(FSPTPTR)} `
      + `under the second stage at ${hex(SSPTPTR)}, domain ${DID}`,
  }
}

const stopped = (unit: VtdUnit, error: unknown, steps: readonly Step[]): Verdict => {
  if (!(error instanceof Stopped)) throw error
  const nested = nestedEntry(unit, error.code, steps)
  if (nested !== undefined) return nested
  const meaning = faultReasons.get(error.code)?.meaning ?? 'unknown'
  return NOT_PRESENT.has(error.code)
    ? { effect: 'blocked', why: `${lastWord(steps)} (reason ${hexCode(error.code)})` }
    : { effect: 'invalid', why: `${lastWord(steps)}; ${meaning} (reason ${hexCode(error.code)})` }
}

/** The verdict on one PASID of a device, from the directory and entry of its context. */
const judgePasid = (unit: VtdUnit, context: ScalableContext, pasid: number): Verdict => {
  const steps: Step[] = []
  try {
    if (pasid >= context.pasidLimit) throw new Stopped(0x46)
    const { type, domainId } = fetchPasid(unit.reader(steps), context, pasid)
    return { effect: type === 'pass-through' ? 'identity' : 'translated', domainId, why: lastWord(steps) }
  } catch (error) {
    return stopped(unit, error, steps)
  }
}

const byRegister = ({ mode }: VtdUnit): Verdict | undefined => {
  switch (mode) {
    case 'off': return { effect: 'identity', why: 'translation is off (GSTS.TES is 0): requests pass unchanged' }
    case 'abort': return { effect: 'blocked', why: 'RTADDR.TTM says that all DMA is refused (reason 0x33)' }
    case 'reserved': return { effect: 'invalid', why: 'RTADDR.TTM is reserved: all DMA is refused (reason 0x33)' }
    case 'legacy': case 'scalable': return undefined
    default: return mode satisfies never
  }
}

const withPasids = (unit: VtdUnit, context: ScalableContext): RequesterVerdict => {
  const pasids = presentPasids(unit.view, context).filter((pasid) => pasid !== context.ridPasid)
  return {
    verdict: judgePasid(unit, context, context.ridPasid),
    pasids,
    judgePasid: (pasid) => judgePasid(unit, context, pasid),
    ...(pasids.length > 0 && !context.pasids ? { caution: PASIDS_OFF } : {}),
  }
}

const alone = (verdict: Verdict): RequesterVerdict => ({ verdict, pasids: [], judgePasid: () => verdict })

/** The verdict on a requester, and on its PASIDs where there is a good context entry in scalable mode. */
export const judge = (unit: VtdUnit, source: number): RequesterVerdict => {
  const registers = byRegister(unit)
  if (registers !== undefined) return alone(registers)
  const steps: Step[] = []
  const reader = unit.reader(steps)
  try {
    if (unit.mode === 'scalable') return withPasids(unit, fetchScalableContext(reader, unit.rootTable, source))
    const { passThrough, domainId } = fetchLegacyContext(reader, unit.rootTable, source)
    return alone({ effect: passThrough ? 'identity' : 'translated', domainId, why: lastWord(steps) })
  } catch (error) {
    return alone(stopped(unit, error, steps))
  }
}
