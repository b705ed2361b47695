// The register window: what writes start, and what reads report.
import { decode, encode } from '@iommu/bits'
import type { RegisterDevice } from '@iommu/hardware'
import { commandBufferBase, control, deviceTableBase, eventLogBase, OFFSETS, ringPointer, status } from '../tables/index.js'
import type { LogState } from './event-log.js'
import type { BufferState } from './queue.js'

/** What the registers switch. */
export interface UnitState {
  translating: boolean
  guestEnabled: boolean
  deviceTable: { readonly base: bigint; readonly bytes: number }
  readonly buffer: BufferState
  readonly log: LogState
  readonly plain: Map<number, bigint>
}

const mask32 = 0xffff_ffffn
const flag = (on: boolean): number => (on ? 1 : 0)
const offsetOf = (value: bigint): number => decode(ringPointer, [value]).Offset * 16

/** `runCommands`: head may move, because the tail was written or the buffer was switched on. */
export const createRegisterDevice = (
  words: { readonly efr: bigint; readonly efr2: bigint }, state: UnitState, runCommands: () => void,
): RegisterDevice => {
  const { buffer, log, plain } = state
  const setControl = (value: bigint): void => {
    plain.set(OFFSETS.CONTROL, value)
    const c = decode(control, [value])
    state.translating = c.IommuEn === 1
    state.guestEnabled = c.GTEn === 1
    log.enabled = c.EvtLogEn === 1
    buffer.enabled = c.CmdBufEn === 1
    if (!buffer.enabled) buffer.stopped = false
    runCommands()
  }
  const reportStatus = (): bigint => encode(status, {
    EvtOvf: flag(log.overflow), EvtInt: flag(log.interrupt), ComWaitInt: flag(buffer.waitInterrupt),
    EvtRun: flag(log.enabled && !log.overflow), CmdRun: flag(buffer.enabled && !buffer.stopped),
  })[0] as bigint
  /** Ones clear. */
  const clearStatus = (value: bigint): void => {
    const s = decode(status, [value & mask32])
    if (s.EvtOvf === 1) log.overflow = false
    if (s.EvtInt === 1) log.interrupt = false
    if (s.ComWaitInt === 1) buffer.waitInterrupt = false
  }
  const setDeviceTable = (value: bigint): void => {
    const { Base, Size } = decode(deviceTableBase, [value])
    state.deviceTable = { base: Base, bytes: (Size + 1) * 4096 }
  }
  const read64 = (offset: number): bigint => {
    switch (offset) {
      case OFFSETS.EFR: return words.efr
      case OFFSETS.EFR2: return words.efr2
      case OFFSETS.STATUS: return reportStatus()
      case OFFSETS.CMD_HEAD: return BigInt(buffer.head)
      case OFFSETS.CMD_TAIL: return BigInt(buffer.tail)
      case OFFSETS.EVT_HEAD: return BigInt(log.head)
      case OFFSETS.EVT_TAIL: return BigInt(log.tail)
      default: return plain.get(offset) ?? 0n
    }
  }
  const write64 = (offset: number, value: bigint): void => {
    switch (offset) {
      case OFFSETS.EFR: case OFFSETS.EFR2: return
      case OFFSETS.CONTROL: return setControl(value)
      case OFFSETS.STATUS: return clearStatus(value)
      case OFFSETS.CMD_HEAD: buffer.head = offsetOf(value); return
      case OFFSETS.CMD_TAIL: buffer.tail = offsetOf(value); return runCommands()
      case OFFSETS.EVT_HEAD: log.head = offsetOf(value); return
      case OFFSETS.EVT_TAIL: log.tail = offsetOf(value); return
      case OFFSETS.DEVTAB_BASE: plain.set(offset, value); return setDeviceTable(value)
      case OFFSETS.CMD_BASE: {
        const { Base, Len } = decode(commandBufferBase, [value])
        buffer.base = Base
        buffer.entries = 2 ** Len
        plain.set(offset, value)
        return
      }
      case OFFSETS.EVT_BASE: {
        const { Base, Len } = decode(eventLogBase, [value])
        log.base = Base
        log.entries = 2 ** Len
        plain.set(offset, value)
        return
      }
      default: plain.set(offset, value)
    }
  }
  return {
    read: (offset, bits) => {
      const value = read64(offset & ~7) >> BigInt((offset & 4) * 8)
      return bits === 32 ? value & mask32 : value
    },
    write(offset, bits, value) {
      if (bits === 64) return write64(offset, value)
      // A half of a register that acts on ones stands alone; of others the other half stays.
      const whole = offset & ~7
      const shift = BigInt((offset & 4) * 8)
      const other = whole === OFFSETS.STATUS ? 0n : read64(whole) & ~(mask32 << shift)
      write64(whole, other | ((value & mask32) << shift))
    },
  }
}
