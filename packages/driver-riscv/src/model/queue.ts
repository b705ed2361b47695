// The command queue: fetches commands, refuses illegal ones, carries out the others.
import { breaksReserved, decode, decodeField, describe, renderLine } from '@iommu/bits'
import type { Entry } from '@iommu/bits'
import { frameOf, loadWords } from '@iommu/hardware'
import type { EventStream, Failures, PhysicalMemory } from '@iommu/hardware'
import {
  atsInvalidate, commandLayout, deviceSplit, fence, invalidateDevice, invalidateFirstStage, invalidateProcess, invalidateSecondStage,
  processSplit, splitLimit,
} from '../tables/index.js'
import type { Capabilities } from '../tables/index.js'
import { forget } from './caches.js'
import type { Caches } from './caches.js'
import { drops } from './drops.js'
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

/** Whether hardware refuses a command, beyond its reserved bits. */
const isIllegal = (layout: Entry, words: Words, { capabilities, state: { directory: { mode } } }: QueueTarget): boolean => {
  const { extended, ats, ranges, nonLeaf, processLevels } = capabilities
  const devices = typeof mode === 'number' ? splitLimit(deviceSplit(extended, mode)) : 2 ** 24
  const widest = processLevels.at(-1)
  const processes = widest === undefined ? 0 : splitLimit(processSplit(widest))
  if (layout === invalidateFirstStage || layout === invalidateSecondStage) {
    const { S, NL, PSCV } = decode(invalidateFirstStage, words)
    return (S === 1 && !ranges) || (NL === 1 && !nonLeaf) || (PSCV === 1 && layout === invalidateSecondStage)
  }
  // Interrupts by wire are asked for of a unit that has none on.
  if (layout === fence) return decode(fence, words).WSI === 1
  if (layout === invalidateDevice) return decode(invalidateDevice, words).DID >= devices
  if (layout === invalidateProcess) {
    const { DV, DID, PID } = decode(invalidateProcess, words)
    return DV === 0 || DID >= devices || PID >= processes
  }
  return !ats
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
    const words = loadWords(target.memory.snooped, at, 2)
    const layout = commandLayout(words)
    if (target.failures.refuseCommand() || layout === undefined || breaksReserved(layout, words) || isIllegal(layout, words, target)) {
      state.illegal = true
      return
    }
    const source = layout === atsInvalidate ? decodeField(atsInvalidate, words, 'RID') : undefined
    if (layout === fence && !completes(words, target, state)) return
    const dropped = drops.get(layout)
    if (source !== undefined && target.failures.isDeaf(source)) state.unanswered = true
    else if (dropped !== undefined) forget(target.caches, dropped.names(words))
    state.head = (state.head + 1) % state.entries
    if (target.events.listeners !== null) {
      target.events.emit({
        kind: 'command', name: layout.name, words, text: renderLine(describe(layout, words)),
        ...(source === undefined ? {} : { deviceTlb: source }),
      })
    }
  }
}
