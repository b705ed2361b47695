// The event log: a ring in memory that hardware writes, and what an event says.
import { encode } from '@iommu/bits'
import type { DmaRequest, PhysicalMemory } from '@iommu/hardware'
import { frameOf } from '@iommu/hardware'
import {
  commandHardwareErrorEvent, devTabHardwareErrorEvent, EVENT_CODES, illegalCommandErrorEvent, illegalDevTableEntryEvent,
  invalidDeviceRequestEvent, ioPageFaultEvent, iotlbInvTimeoutEvent, pageTabHardwareErrorEvent,
} from '../tables/index.js'

/** Where the log is and how far it has come. Offsets are bytes. */
export interface LogState {
  base: bigint
  entries: number
  enabled: boolean
  head: number
  tail: number
  /** Status.EvtOvf: nothing is logged until software starts the log again. */
  overflow: boolean
  /** Status.EvtInt. */
  interrupt: boolean
}

export const createLogState = (): LogState =>
  ({ base: 0n, entries: 256, enabled: false, head: 0, tail: 0, overflow: false, interrupt: false })

/** Why a DMA stopped: the event's code, and the flags that it has besides those of the request. */
export interface Cause {
  readonly code: number
  /** The entry was there, and something in it forbids the access. */
  readonly present?: boolean
  readonly permission?: boolean
  readonly reserved?: boolean
  /** Of events that have one: domain id, and whether the fault is one of guest tables. */
  readonly domainId?: number
  readonly guest?: boolean
  /** INVALID_DEVICE_REQUEST: which of its kinds. */
  readonly type?: number
}

const flag = (on: boolean | undefined): number => (on === true ? 1 : 0)

/** The words of the event that a stopped request leaves behind. */
export const eventOf = ({ source, pasid = 0, access, address, kind }: DmaRequest, cause: Cause): readonly bigint[] => {
  const common = { DeviceID: source, Code: cause.code, ADDR: address }
  const asked = { RW: flag(access === 'write'), TR: flag(kind === 'translate') }
  const GN = flag(cause.guest)
  // PASID[15:0] and the domain id share their place; GN says which it is.
  const tag = cause.guest === true ? { PASIDHigh: pasid >> 16, DomainID: pasid & 0xffff } : { DomainID: cause.domainId ?? 0 }
  switch (cause.code) {
    case EVENT_CODES.illegalDevTableEntry:
      return encode(illegalDevTableEntryEvent, { ...common, ...asked, PASID: pasid, RZ: flag(cause.reserved) })
    case EVENT_CODES.ioPageFault:
      return encode(ioPageFaultEvent, {
        ...common, ...asked, ...tag, GN, PR: flag(cause.present), PE: flag(cause.permission), RZ: flag(cause.reserved),
      })
    case EVENT_CODES.devTabHardwareError: return encode(devTabHardwareErrorEvent, { ...common, ...asked })
    case EVENT_CODES.pageTabHardwareError: return encode(pageTabHardwareErrorEvent, { ...common, ...asked, ...tag, GN })
    case EVENT_CODES.invalidDeviceRequest: return encode(invalidDeviceRequestEvent, { ...common, PASID: pasid, Type: cause.type ?? 0 })
    default: throw new RangeError(`no request leaves an event of code ${cause.code}`)
  }
}

/** An event of the command buffer: the address of the command, and for a time-out the device. */
export const commandEventOf = (code: number, command: bigint, source?: number): readonly bigint[] => {
  switch (code) {
    case EVENT_CODES.illegalCommandError: return encode(illegalCommandErrorEvent, { Code: code, ADDR: command })
    case EVENT_CODES.commandHardwareError: return encode(commandHardwareErrorEvent, { Code: code, ADDR: command })
    case EVENT_CODES.iotlbInvTimeout: return encode(iotlbInvTimeoutEvent, { Code: code, ADDR: command, DeviceID: source ?? 0 })
    default: throw new RangeError(`no command leaves an event of code ${code}`)
  }
}

/** Writes an event behind the last one; where there is no room the log stops, and says that it overflowed. */
export const logEvent = (log: LogState, memory: PhysicalMemory, words: readonly bigint[]): void => {
  if (!log.enabled || log.overflow) return
  const bytes = log.entries * 16
  const next = (log.tail + 16) % bytes
  const at = log.base + BigInt(log.tail)
  if (next === log.head || !memory.snooped.has(frameOf(at))) {
    log.overflow = true
    return
  }
  words.forEach((word, index) => memory.deviceStore64(at + BigInt(index * 8), word))
  log.tail = next
  log.interrupt = true
}
