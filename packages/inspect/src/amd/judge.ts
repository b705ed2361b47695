// What the tables make of one device id or PASID: identity, blocked, translated or invalid, and why.
import { fetchDeviceEntry, fetchGcr3, Stopped } from '@iommu/driver-amd-vi/model'
import type { DeviceContext } from '@iommu/driver-amd-vi/model'
import { EVENT_CODES, events } from '@iommu/driver-amd-vi/queues'
import type { Step } from '@iommu/hardware'
import { hex } from '../spell.js'
import type { RequesterVerdict } from '../vendor.js'
import type { Verdict } from '../verdict.js'
import { titleOf } from './entries.js'
import { presentPasids } from './pasids.js'
import type { AmdUnit } from './unit.js'

/** The last entry that was read, with its address and what it said. */
const lastWord = (steps: readonly Step[]): string => {
  const step = steps[steps.length - 1]
  if (step === undefined) return 'the device id lies beyond the end of the device table'
  const at = step.address === undefined ? '' : ` at ${hex(step.address)}`
  return `${titleOf(step.entry)}${at}: ${step.note}`
}

/** An entry that is not there is nobody's mistake; all else that stops is an entry that hardware refuses. */
const stopped = (error: unknown, steps: readonly Step[]): Verdict => {
  if (!(error instanceof Stopped)) throw error
  const { code, present } = error.cause
  const event = events.get(code)
  const isAbsent = steps.length === 0 || (code === EVENT_CODES.ioPageFault && present !== true)
  if (isAbsent) return { effect: 'blocked', why: `${lastWord(steps)} (${event?.name ?? `event ${code}`})` }
  return { effect: 'invalid', why: `${lastWord(steps)}; ${event?.meaning ?? 'unknown'} (${event?.name ?? `event ${code}`})` }
}

const judgeGuest = (unit: AmdUnit, { guest, domainId }: DeviceContext, pasid: number): Verdict => {
  const steps: Step[] = []
  try {
    if (guest === undefined) return { effect: 'blocked', why: 'the device table entry has no GCR3 table' }
    fetchGcr3(unit.reader(steps), { ...guest, domainId }, pasid)
    return { effect: 'translated', domainId, why: lastWord(steps) }
  } catch (error) {
    return stopped(error, steps)
  }
}

const effectOf = ({ kind, host, read, write }: DeviceContext): Verdict['effect'] => {
  switch (kind) {
    case 'passes': return 'identity'
    case 'aborts': return 'blocked'
    case 'translates': return !read && !write ? 'blocked' : host === undefined ? 'identity' : 'translated'
    default: return kind satisfies never
  }
}

/** The verdict on requests without PASID, once the entry is known to be good. */
const judgeEntry = (unit: AmdUnit, entry: DeviceContext, steps: readonly Step[]): Verdict => {
  if (entry.kind === 'translates' && entry.host === undefined && entry.guest?.io === true) return judgeGuest(unit, entry, 0)
  const effect = effectOf(entry)
  const shut = entry.kind === 'translates' && effect === 'blocked' ? '; neither reads nor writes are allowed (IR, IW)' : ''
  return { effect, ...(entry.kind === 'translates' ? { domainId: entry.domainId } : {}), why: `${lastWord(steps)}${shut}` }
}

const alone = (verdict: Verdict): RequesterVerdict => ({ verdict, pasids: [], judgePasid: () => verdict })

/** The verdict on a device id, and on its PASIDs where it has a GCR3 table. */
export const judge = (unit: AmdUnit, source: number): RequesterVerdict => {
  if (unit.mode === 'off') {
    return alone({ effect: 'identity', why: 'translation is off (Control.IommuEn is 0): requests pass unchanged' })
  }
  const steps: Step[] = []
  try {
    const entry = fetchDeviceEntry(unit.reader(steps), unit.deviceTable, source)
    const verdict = judgeEntry(unit, entry, steps)
    const { guest } = entry
    if (guest === undefined) return alone(verdict)
    const pasids = presentPasids(unit.view, guest).filter((pasid) => pasid !== 0 || !guest.io)
    return { verdict, pasids, judgePasid: (pasid) => judgeGuest(unit, entry, pasid) }
  } catch (error) {
    return alone(stopped(error, steps))
  }
}
