// The command buffer: fetches commands, refuses malformed ones, carries out the others.
import { breaksReserved, decode, decodeField, describe, renderLine } from '@iommu/bits'
import type { Entry } from '@iommu/bits'
import { frameOf } from '@iommu/hardware'
import type { EventStream, Failures, PhysicalMemory } from '@iommu/hardware'
import { dropPages } from '@iommu/page-table'
import {
  commands, completionWait, EVENT_CODES, invalidateDevtabEntry, invalidateIommuPages, invalidateIotlbPages, OPCODES,
} from '../tables/index.js'
import { dropEverything, guestTag } from './caches.js'
import type { Caches } from './caches.js'
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
type Range = readonly [first: number, last: number]

/** One page, or with S an aligned range: the lowest zero bit from bit 12 on is half of its size; no zero bit below 63: all. */
export const pageRange = (address: bigint, sized: boolean): Range => {
  if (!sized) return [frameOf(address), frameOf(address)]
  let bit = 12n
  while (bit < 63n && ((address >> bit) & 1n) === 1n) bit++
  if (bit === 63n) return [0, Infinity]
  const size = 1n << (bit + 1n)
  const start = address & ~(size - 1n)
  return [frameOf(start), frameOf(start + size - 1n)]
}

/** What each opcode does. False: malformed. */
const effects = ({ caches, failures, memory }: CommandTarget): Readonly<Record<number, (words: Words) => boolean>> => ({
  [OPCODES.completionWait](words) {
    const d = decode(completionWait, words)
    if (d.S === 0 || failures.completionsNever) return true
    if (!memory.snooped.has(frameOf(d.StoreAddress))) return false
    memory.deviceStore64(d.StoreAddress, d.Data)
    return true
  },
  [OPCODES.invalidateDevtabEntry](words) {
    const { DeviceID } = decode(invalidateDevtabEntry, words)
    caches.entries.drop((_tag, source) => source === DeviceID)
    return true
  },
  [OPCODES.invalidateIommuPages](words) {
    const d = decode(invalidateIommuPages, words)
    const [first, last] = pageRange(d.ADDR, d.S === 1)
    if (d.GN === 0) {
      dropPages(caches.host, (tag) => tag === d.DomainID, first, last, d.PDE === 0)
      return true
    }
    dropPages(caches.guest, (tag) => tag === guestTag(d.DomainID, d.PASID), first, last, d.PDE === 0)
    // The way to the root counts as a structure: it goes with PDE. No manual at hand says so, Linux always sets it there.
    if (d.PDE === 1) caches.gcr3.drop((tag) => tag.domainId === d.DomainID && tag.pasid === d.PASID)
    return true
  },
  [OPCODES.invalidateIotlbPages](words) {
    const d = decode(invalidateIotlbPages, words)
    const [first, last] = pageRange(d.ADDR, d.S === 1)
    const pasid = d.GN === 1 ? d.PASID : 0
    caches.devices.get(d.DeviceID)?.dropRange((tag) => tag === pasid, first, last)
    return true
  },
  [OPCODES.invalidateInterruptTable]: () => true,
  [OPCODES.prefetchIommuPages]: () => true,
  [OPCODES.completePprRequest]: () => true,
  [OPCODES.invalidateIommuAll]() {
    dropEverything(caches)
    return true
  },
})

/** The layout of a command, or undefined for an opcode that there is not. All commands share the place of Opcode. */
export const commandLayout = (words: Words): Entry | undefined => commands[decodeField(completionWait, words, 'Opcode')]

/** Works through the buffer from head to tail, or until a refused command stops it. */
export const runCommands = (state: BufferState, target: CommandTarget): void => {
  const { memory, failures, log, events } = target
  const act = effects(target)
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
    } else if (!(act[opcode] as (words: Words) => boolean)(words)) {
      return refuse(EVENT_CODES.illegalCommandError)
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
