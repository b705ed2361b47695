// The command queue: fetches commands, refuses illegal ones, carries out the others.
import { breaksReserved, decode, decodeField, describe, renderLine } from '@iommu/bits'
import type { Entry } from '@iommu/bits'
import { frameOf } from '@iommu/hardware'
import type { EventStream, Failures, PhysicalMemory } from '@iommu/hardware'
import { dropPages, dropTranslations } from '@iommu/page-table'
import type { Translations } from '@iommu/page-table'
import {
  atsInvalidate, commandLayout, COMMANDS, fence, invalidateDevice, invalidateFirstStage, invalidateProcess, invalidateSecondStage,
  splitLimit, deviceSplit, processSplit,
} from '../tables/index.js'
import type { Capabilities } from '../tables/index.js'
import { guestOfTag, pscidOfTag } from './caches.js'
import type { Caches } from './caches.js'
import type { DirectoryState } from './translate.js'

/** Where the queue is and how far it has come. Indexes are of commands. */
export interface QueueState {
  base: bigint
  entries: number
  enabled: boolean
  head: number
  tail: number
  /** The queue has stopped at `head` until software clears it. */
  memoryFault: boolean
  illegal: boolean
  timeout: boolean
  /** A device has not answered; the next fence says so. */
  unanswered: boolean
}

export const createQueueState = (): QueueState => ({
  base: 0n, entries: 2, enabled: false, head: 0, tail: 0, memoryFault: false, illegal: false, timeout: false, unanswered: false,
})

/** What the queue acts on. */
export interface QueueTarget {
  readonly memory: PhysicalMemory
  readonly caches: Caches
  readonly capabilities: Capabilities
  readonly events: EventStream
  readonly failures: Failures
  readonly state: { readonly directory: DirectoryState }
}

type Words = readonly bigint[]
/** Frames, both inclusive. */
type Range = readonly [first: number, last: number]

/** How large the range is that an address names, by its lowest zero bit from bit 12 on. */
const sizedRange = (address: bigint): Range => {
  let bit = 12n
  while (bit < 63n && ((address >> bit) & 1n) === 1n) bit++
  const size = 1n << (bit + 1n)
  const start = address & ~(size - 1n)
  return [frameOf(start), frameOf(start + size - 1n)]
}

/** The frames that an address names. */
export const pageRange = (address: bigint, sized: boolean): Range =>
  (sized ? sizedRange(address) : [frameOf(address), frameOf(address)])

const isCommand = (layout: Entry, { OPCODE, FUNC }: { readonly OPCODE: number; readonly FUNC: number }): boolean =>
  layout === commandLayout(OPCODE, FUNC)

/** The layout of a command, or undefined where there is none of its opcode and function. */
export const layoutOf = (words: Words): Entry | undefined => {
  const { OPCODE, FUNC } = decode(fence, words)
  return commandLayout(OPCODE, FUNC)
}

/** Whether hardware refuses a command, beyond its reserved bits. */
const isIllegal = (layout: Entry, words: Words, { capabilities, state: { directory: { mode } } }: QueueTarget): boolean => {
  const { extended, ats, ranges, nonLeaf, processLevels } = capabilities
  const devices = typeof mode === 'number' ? splitLimit(deviceSplit(extended, mode)) : 2 ** 24
  const widest = processLevels.at(-1)
  const processes = widest === undefined ? 0 : splitLimit(processSplit(widest))
  if (isCommand(layout, COMMANDS.invalidateFirstStage) || isCommand(layout, COMMANDS.invalidateSecondStage)) {
    const { S, NL, PSCV } = decode(invalidateFirstStage, words)
    return (S === 1 && !ranges) || (NL === 1 && !nonLeaf) || (PSCV === 1 && isCommand(layout, COMMANDS.invalidateSecondStage))
  }
  // Interrupts by wire are asked for of a unit that has none on.
  if (isCommand(layout, COMMANDS.fence)) return decode(fence, words).WSI === 1
  if (isCommand(layout, COMMANDS.invalidateDevice)) return decode(invalidateDevice, words).DID >= devices
  if (isCommand(layout, COMMANDS.invalidateProcess)) {
    const { DV, DID, PID } = decode(invalidateProcess, words)
    return DV === 0 || DID >= devices || PID >= processes
  }
  return !ats
}

/** What is under the tags that match: of a range, or everything. With a range what leads to the leaves stays, unless NL says so. */
const dropNamed = (translations: Translations<unknown>, matches: (tag: number) => boolean, range: Range | undefined, nonLeaf: boolean): void =>
  (range === undefined ? dropTranslations(translations, matches) : dropPages(translations, matches, ...range, !nonLeaf))

/** Drops what a command names, and nothing more. */
const carryOut = (layout: Entry, words: Words, { caches, failures }: QueueTarget, state: QueueState): void => {
  if (isCommand(layout, COMMANDS.invalidateFirstStage)) {
    const { AV, GV, PSCV, PSCID, GSCID, ADDR, S, NL } = decode(invalidateFirstStage, words)
    const range = AV === 1 ? pageRange(ADDR, S === 1) : undefined
    dropNamed(caches.firstStage, (tag) =>
      guestOfTag(tag) === (GV === 1 ? GSCID : undefined) && (PSCV === 0 || pscidOfTag(tag) === PSCID), range, NL === 1)
  } else if (isCommand(layout, COMMANDS.invalidateSecondStage)) {
    const { AV, GV, GSCID, ADDR, S, NL } = decode(invalidateSecondStage, words)
    const range = AV === 1 ? pageRange(ADDR, S === 1) : undefined
    dropNamed(caches.secondStage, (tag) => GV === 0 || tag === GSCID, range, NL === 1)
    // What a first stage under it led to may have been read through it.
    dropTranslations(caches.firstStage, (tag) => guestOfTag(tag) !== undefined && (GV === 0 || guestOfTag(tag) === GSCID))
  } else if (isCommand(layout, COMMANDS.invalidateDevice)) {
    const { DV, DID } = decode(invalidateDevice, words)
    caches.devices.drop(({ source }) => DV === 0 || source === DID)
    caches.processes.drop(({ source }) => DV === 0 || source === DID)
  } else if (isCommand(layout, COMMANDS.invalidateProcess)) {
    const { DID, PID } = decode(invalidateProcess, words)
    caches.processes.drop(({ source, pasid }) => source === DID && pasid === PID)
  } else if (isCommand(layout, COMMANDS.atsInvalidate)) {
    const { RID, PV, PID, G, S, UADDR } = decode(atsInvalidate, words)
    if (failures.isDeaf(RID)) {
      state.unanswered = true
      return
    }
    const pasid = PV === 1 ? PID : 0
    caches.deviceTlbs.get(RID)?.dropRange((tag) => G === 1 || tag === pasid, ...pageRange(UADDR, S === 1))
  }
}

/** A fence completes when all before it has; false: it does not, or says why it stops. */
const completes = (words: Words, { memory, failures }: QueueTarget, state: QueueState): boolean => {
  if (failures.completionsNever) return false
  if (state.unanswered) {
    state.unanswered = false
    state.timeout = true
    return false
  }
  const { AV, DATA, ADDR } = decode(fence, words)
  if (AV === 0) return true
  if (!memory.snooped.has(frameOf(ADDR))) {
    state.memoryFault = true
    return false
  }
  memory.deviceStore32(ADDR, DATA)
  return true
}

const COMMAND_BYTES = 16

/** Works through the queue from head to tail, or until something stops it. */
export const runQueue = (state: QueueState, target: QueueTarget): void => {
  const stopped = (): boolean => state.memoryFault || state.illegal || state.timeout
  while (state.enabled && !stopped() && state.head !== state.tail) {
    const at = state.base + BigInt(state.head * COMMAND_BYTES)
    if (!target.memory.snooped.has(frameOf(at))) {
      state.memoryFault = true
      return
    }
    const words = [0n, 8n].map((offset) => target.memory.snooped.load64(at + offset))
    const layout = layoutOf(words)
    if (target.failures.refuseCommand() || layout === undefined || breaksReserved(layout, words) || isIllegal(layout, words, target)) {
      state.illegal = true
      return
    }
    if (isCommand(layout, COMMANDS.fence)) {
      if (!completes(words, target, state)) return
    } else carryOut(layout, words, target, state)
    state.head = (state.head + 1) % state.entries
    if (target.events.listeners !== null) {
      target.events.emit({
        kind: 'command', name: layout.name, words, text: renderLine(describe(layout, words)),
        ...(isCommand(layout, COMMANDS.atsInvalidate) ? { deviceTlb: decodeField(atsInvalidate, words, 'RID') } : {}),
      })
    }
  }
}
