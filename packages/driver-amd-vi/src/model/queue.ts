// The command buffer: fetches commands, refuses malformed ones, carries out the others.
import { breaksReserved, decode, decodeField, describe, renderLine } from '@iommu/bits'
import { frameOf } from '@iommu/hardware'
import type { EventStream, Failures, PhysicalMemory } from '@iommu/hardware'
import { commandLayout, completionWait, EVENT_CODES, invalidateIotlbPages, OPCODES } from '../tables/index.js'
import { forget } from './caches.js'
import type { Caches } from './caches.js'
import { drops } from './drops.js'
import { commandEventOf, logEvent } from './event-log.js'
import type { LogState } from './event-log.js'

/** Where the buffer is and how far it has come. Offsets are bytes. */
export interface BufferState {
  base: bigint
  entries: number
  enabled: boolean
  head: number
  tail: number
  /** A command was refused: the buffer stands at `head` until software switches it off and on. */
  stopped: boolean
  /** Status.ComWaitInt. */
  waitInterrupt: boolean
}

export const createBufferState = (): BufferState =>
  ({ base: 0n, entries: 256, enabled: false, head: 0, tail: 0, stopped: false, waitInterrupt: false })

/** What the commands act on. */
export interface CommandTarget {
  readonly memory: PhysicalMemory
  readonly caches: Caches
  readonly events: EventStream
  readonly failures: Failures
  readonly log: LogState
}

type Words = readonly bigint[]

/** A completion is told. False: to where there is no memory. */
const tell = (words: Words, { memory, failures }: CommandTarget): boolean => {
  const { S, StoreAddress, Data } = decode(completionWait, words)
  if (S === 0 || failures.completionsNever) return true
  if (!memory.snooped.has(frameOf(StoreAddress))) return false
  memory.deviceStore64(StoreAddress, Data)
  return true
}

/** Works through the buffer from head to tail, or until a refused command stops it. */
export const runCommands = (state: BufferState, target: CommandTarget): void => {
  const { memory, failures, log, events } = target
  const bytes = state.entries * 16
  while (state.enabled && !state.stopped && state.head !== state.tail) {
    const at = state.base + BigInt(state.head)
    const refuse = (code: number): void => {
      state.stopped = true
      logEvent(log, memory, commandEventOf(code, at))
    }
    if (!memory.snooped.has(frameOf(at))) return refuse(EVENT_CODES.commandHardwareError)
    const words = [memory.snooped.load64(at), memory.snooped.load64(at + 8n)]
    const layout = commandLayout(words)
    const opcode = decodeField(completionWait, words, 'Opcode')
    if (failures.refuseCommand() || layout === undefined || breaksReserved(layout, words)) return refuse(EVENT_CODES.illegalCommandError)
    const source = opcode === OPCODES.invalidateIotlbPages ? decode(invalidateIotlbPages, words).DeviceID : undefined
    if (source !== undefined && failures.isDeaf(source)) {
      // The buffer goes on: that the device was silent is in the log alone.
      logEvent(log, memory, commandEventOf(EVENT_CODES.iotlbInvTimeout, at, source))
    } else if (opcode === OPCODES.completionWait && !tell(words, target)) {
      return refuse(EVENT_CODES.illegalCommandError)
    } else {
      const dropped = drops[opcode]
      if (dropped !== undefined) forget(target.caches, dropped.names(words))
    }
    if (opcode === OPCODES.completionWait && decodeField(completionWait, words, 'I') === 1) state.waitInterrupt = true
    state.head = (state.head + 16) % bytes
    if (events.listeners !== null) {
      events.emit({
        kind: 'command', name: layout.name, words, text: renderLine(describe(layout, words)),
        ...(source === undefined ? {} : { deviceTlb: source }),
      })
    }
  }
}
