// Brings an AMD IOMMU into a state: tables, rings, and caches that have forgotten everything.
import { encode } from '@iommu/bits'
import { frameAddress } from '@iommu/hardware'
import { completionWait, invalidateDevtabEntry, invalidateIommuAll, OPCODES } from '@iommu/driver-amd-vi/queues'
import { commandBufferBase, control, eventLogBase, OFFSETS, ringPointer } from '@iommu/driver-amd-vi/registers'
import { amdVi } from '@iommu/machine-qemu'
import { loadFrames } from '../ground.js'
import type { Target } from '../subject.js'
import { build, COMMANDS_FRAME, EVENTS_FRAME, STATUS_FRAME } from './plan.js'
import type { AmdPlan } from './plan.js'

/** Rings of one page. */
const LOG2_ENTRIES = 8
const COMMAND_BYTES = 16
const DONE = 1n

const set = ({ registers }: Target, fields: Parameters<typeof encode<typeof control.fields>>[1]): void =>
  registers.write64(OFFSETS.CONTROL, encode(control, fields)[0] as bigint)

const pointer = (bytes: number): bigint => encode(ringPointer, { Offset: bytes / COMMAND_BYTES })[0] as bigint

/** Queues commands from a byte offset on, and a wait behind them. Throws where they are not carried out. */
const queue = ({ memory, registers }: Target, start: number, commands: readonly (readonly bigint[])[]): void => {
  const status = frameAddress(STATUS_FRAME)
  memory.store64(status, 0n)
  const all = [...commands, encode(completionWait, { Opcode: OPCODES.completionWait, S: 1, StoreAddress: status, Data: DONE })]
  all.forEach((words, index) => words.forEach((word, at) =>
    memory.store64(frameAddress(COMMANDS_FRAME) + BigInt(start + index * COMMAND_BYTES + at * 8), word)))
  registers.write64(OFFSETS.CMD_TAIL, pointer(start + all.length * COMMAND_BYTES))
  if (memory.load64(status) !== DONE) throw new Error('the unit does not carry out invalidations')
}

/** Further commands behind those of `install`; the ring is long enough for a state's. */
export const submit = (machine: Target, _plan: AmdPlan, commands: readonly (readonly bigint[])[]): void =>
  queue(machine, Number(machine.registers.read64(OFFSETS.CMD_TAIL)), commands)

export const deviceEntry = (DeviceID: number): bigint[] => encode(invalidateDevtabEntry, { Opcode: OPCODES.invalidateDevtabEntry, DeviceID })
const everything = (): bigint[] => encode(invalidateIommuAll, { Opcode: OPCODES.invalidateIommuAll })

export const install = (machine: Target, plan: AmdPlan): void => {
  const { memory, registers } = machine
  const { frames, register } = build(plan)
  set(machine, {})
  loadFrames(memory, frames)
  registers.write64(OFFSETS.DEVTAB_BASE, register)
  registers.write64(OFFSETS.CMD_BASE, encode(commandBufferBase, { Base: frameAddress(COMMANDS_FRAME), Len: LOG2_ENTRIES })[0] as bigint)
  registers.write64(OFFSETS.EVT_BASE, encode(eventLogBase, { Base: frameAddress(EVENTS_FRAME), Len: LOG2_ENTRIES })[0] as bigint)
  for (const each of [OFFSETS.CMD_HEAD, OFFSETS.CMD_TAIL, OFFSETS.EVT_HEAD, OFFSETS.EVT_TAIL]) registers.write64(each, 0n)
  set(machine, { IommuEn: 1, EvtLogEn: 1, CmdBufEn: 1 })
  queue(machine, 0, [deviceEntry(plan.source), everything()])
  // What an invalidation has found to say of the entry was not asked for.
  amdVi.readFaults(machine)
}
