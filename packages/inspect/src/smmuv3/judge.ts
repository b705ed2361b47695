// What the tables make of one stream or SSID: identity, blocked, translated or invalid, and why.
import { decodeField } from '@iommu/bits'
import {
  contextAddress, fetchContext, fetchLevelOneContext, fetchLevelOneStream, fetchStream, Stopped, streamAddress,
} from '@iommu/driver-arm-smmuv3/model'
import type { StreamCopy } from '@iommu/driver-arm-smmuv3/model'
import { events } from '@iommu/driver-arm-smmuv3/queues'
import { contextDescriptor, streamEntry } from '@iommu/driver-arm-smmuv3/tables'
import type { Step } from '@iommu/hardware'
import { hex } from '../spell.js'
import type { RequesterVerdict } from '../vendor.js'
import type { Verdict } from '../verdict.js'
import { titleOf } from './entries.js'
import { presentPasids } from './pasids.js'
import type { StageOne } from './pasids.js'
import type { SmmuUnit } from './unit.js'

/** Events that mean "nobody set this up", whatever the entry holds. */
const NOT_THERE: ReadonlySet<string> = new Set(['C_BAD_STREAMID', 'C_BAD_SUBSTREAMID', 'F_STREAM_DISABLED'])

/** The last entry that was read, with its address and what it said. */
const lastWord = (steps: readonly Step[]): string => {
  const step = steps[steps.length - 1]
  if (step === undefined) return 'the StreamID lies beyond the stream table'
  const at = step.address === undefined ? '' : ` at ${hex(step.address)}`
  return `${titleOf(step.entry)}${at}: ${step.note}`
}

/** An entry with V=0 is nobody's mistake; all else that stops is an entry that hardware refuses. */
const isUnset = (steps: readonly Step[]): boolean => {
  const step = steps[steps.length - 1]
  if (step?.entry === streamEntry.name) return decodeField(streamEntry, step.words, 'V') === 0
  return step?.entry === contextDescriptor.name && decodeField(contextDescriptor, step.words, 'V') === 0
}

const stopped = (error: unknown, steps: readonly Step[]): Verdict => {
  if (!(error instanceof Stopped)) throw error
  const { event = 'no event', code } = error
  if (NOT_THERE.has(event) || isUnset(steps)) return { effect: 'blocked', why: `${lastWord(steps)} (${event})` }
  return { effect: 'invalid', why: `${lastWord(steps)}; ${events.get(code)?.meaning ?? 'unknown'} (${event})` }
}

const judgeContext = (unit: SmmuUnit, stream: StageOne, pasid: number): Verdict => {
  const steps: Step[] = []
  try {
    const reader = unit.reader(steps)
    const address = contextAddress(stream, pasid, () => fetchLevelOneContext(reader, stream, pasid))
    const { asid, low, high } = fetchContext(reader, stream, address, pasid)
    const effect = low === undefined && high === undefined ? 'blocked' : 'translated'
    return { effect, domainId: asid, why: lastWord(steps) }
  } catch (error) {
    return stopped(error, steps)
  }
}

/** The verdict on requests without SSID, once the entry is known to be good. */
const judgeStream = (unit: SmmuUnit, stream: StreamCopy, why: string): Verdict => {
  switch (stream.kind) {
    case 'abort': return { effect: 'blocked', why }
    case 'bypass': return { effect: 'identity', why }
    case 'nested': return { effect: 'translated', why }
    case 'stage 2': return { effect: 'translated', domainId: stream.vmid, why }
    case 'stage 1':
      if (stream.max > 0 && stream.substream === 'terminate') return { effect: 'blocked', why: `${why}; S1DSS refuses requests without SSID` }
      if (stream.max > 0 && stream.substream === 'bypass') return { effect: 'identity', why: `${why}; S1DSS lets requests without SSID pass` }
      return judgeContext(unit, stream, 0)
    default: return stream satisfies never
  }
}

const alone = (verdict: Verdict): RequesterVerdict => ({ verdict, pasids: [], judgePasid: () => verdict })

const byRegister = ({ mode }: SmmuUnit): Verdict | undefined => {
  switch (mode) {
    case 'off': return { effect: 'identity', why: 'translation is off (CR0.SMMUEN is 0): requests pass with the attributes of GBPA' }
    case 'abort': return { effect: 'blocked', why: 'translation is off (CR0.SMMUEN is 0), and GBPA.ABORT refuses all DMA' }
    case 'on': return undefined
    default: return mode satisfies never
  }
}

/** The verdict on a stream, and on its SSIDs where it has any. */
export const judge = (unit: SmmuUnit, source: number): RequesterVerdict => {
  const registers = byRegister(unit)
  if (registers !== undefined) return alone(registers)
  const steps: Step[] = []
  const reader = unit.reader(steps)
  try {
    const address = streamAddress(unit.streamTable, source, () => fetchLevelOneStream(reader, unit.streamTable, source))
    const stream = fetchStream(reader, address)
    const verdict = judgeStream(unit, stream, lastWord(steps))
    if (stream.kind !== 'stage 1' || stream.max === 0) return alone(verdict)
    // Descriptor 0 is that of requests without SSID.
    const pasids = presentPasids(unit.view, stream).filter((pasid) => pasid !== 0 || stream.substream !== 'first')
    return { verdict, pasids, judgePasid: (pasid) => judgeContext(unit, stream, pasid) }
  } catch (error) {
    return alone(stopped(error, steps))
  }
}
