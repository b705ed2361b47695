// What the tables make of one requester id or PASID: identity, blocked, translated or invalid, and why.
import { decode } from '@iommu/bits'
import { fetchLegacyContext, fetchPasid, fetchScalableContext, Stopped } from '@iommu/driver-intel-vtd/model'
import type { ScalableContext } from '@iommu/driver-intel-vtd/model'
import { faultReasons, pasidEntry } from '@iommu/driver-intel-vtd/tables'
import type { Step } from '@iommu/hardware'
import { findEntry } from './entries.js'
import type { Unit } from './unit.js'

/** `invalid`: hardware refuses the DMA too, because an entry is not as it must be. */
export type Effect = 'identity' | 'blocked' | 'translated' | 'invalid'

export interface Verdict {
  readonly effect: Effect
  readonly domainId?: number
  readonly why: string
}

/** Reasons that mean "nobody set this up", as opposed to "set up wrongly": entries that are not present. */
const NOT_PRESENT: ReadonlySet<number> = new Set([0x01, 0x02, 0x39, 0x41, 0x51, 0x59])

const hex = (value: number | bigint): string => `0x${value.toString(16)}`
/** Fault reasons as the kernel's log has them. */
export const hexCode = (code: number): string => `0x${code.toString(16).padStart(2, '0')}`

/** The last entry that was read, with its address and what it said. */
const lastWord = (steps: readonly Step[]): string => {
  const step = steps[steps.length - 1]
  if (step === undefined) return 'no entry was read'
  const at = step.address === undefined ? '' : ` at ${hex(step.address)}`
  return `${findEntry(step.entry).title}${at}: ${step.note}`
}

const nestedEntry = ({ nested }: Unit, code: number, steps: readonly Step[]): Verdict | undefined => {
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

const stopped = (unit: Unit, error: unknown, steps: readonly Step[]): Verdict => {
  if (!(error instanceof Stopped)) throw error
  const nested = nestedEntry(unit, error.code, steps)
  if (nested !== undefined) return nested
  const meaning = faultReasons.get(error.code)?.meaning ?? 'unknown'
  return NOT_PRESENT.has(error.code)
    ? { effect: 'blocked', why: `${lastWord(steps)} (reason ${hexCode(error.code)})` }
    : { effect: 'invalid', why: `${lastWord(steps)}; ${meaning} (reason ${hexCode(error.code)})` }
}

/** The verdict on one PASID of a device, from the directory and entry of its context. */
export const judgePasid = (unit: Unit, context: ScalableContext, pasid: number): Verdict => {
  const steps: Step[] = []
  try {
    if (pasid >= context.pasidLimit) throw new Stopped(0x46)
    const { type, domainId } = fetchPasid(unit.reader(steps), context, pasid)
    return { effect: type === 'pass-through' ? 'identity' : 'translated', domainId, why: lastWord(steps) }
  } catch (error) {
    return stopped(unit, error, steps)
  }
}

/** A verdict on requests without PASID, and the context entry where there is a good one in scalable mode. */
export interface RequesterVerdict {
  readonly verdict: Verdict
  readonly context?: ScalableContext
}

const byRegister = ({ mode }: Unit): Verdict | undefined => {
  switch (mode) {
    case 'off': return { effect: 'identity', why: 'translation is off (GSTS.TES is 0): requests pass unchanged' }
    case 'abort': return { effect: 'blocked', why: 'RTADDR.TTM says that all DMA is refused (reason 0x33)' }
    case 'reserved': return { effect: 'invalid', why: 'RTADDR.TTM is reserved: all DMA is refused (reason 0x33)' }
    case 'legacy': case 'scalable': return undefined
    default: return mode satisfies never
  }
}

/** The verdict on requests without PASID. */
export const judgeRequester = (unit: Unit, source: number): RequesterVerdict => {
  const registers = byRegister(unit)
  if (registers !== undefined) return { verdict: registers }
  const steps: Step[] = []
  const reader = unit.reader(steps)
  try {
    if (unit.mode === 'scalable') {
      const context = fetchScalableContext(reader, unit.rootTable, source)
      return { context, verdict: judgePasid(unit, context, context.ridPasid) }
    }
    const { passThrough, domainId } = fetchLegacyContext(reader, unit.rootTable, source)
    return { verdict: { effect: passThrough ? 'identity' : 'translated', domainId, why: lastWord(steps) } }
  } catch (error) {
    return { verdict: stopped(unit, error, steps) }
  }
}
