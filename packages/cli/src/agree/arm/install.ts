// Brings an SMMU into a state: tables, queues, and caches that have forgotten everything.
import { decode, encode } from '@iommu/bits'
import { frameAddress } from '@iommu/hardware'
import { CFGI_ALL_RANGE, cfgiSteRangeCommand, OPCODES, syncCommand, tlbiNsnhAllCommand } from '@iommu/driver-arm-smmuv3/queues'
import { commandQueueIndex, control0, control2, OFFSETS, queueBase, streamTableBase } from '@iommu/driver-arm-smmuv3/registers'
import { loadFrames } from '../ground.js'
import type { Target } from '../subject.js'
import { build, COMMANDS_FRAME, EVENTS_FRAME } from './plan.js'
import type { ArmPlan } from './plan.js'

/** Queues of one page: entries of 16 and 32 bytes. */
const COMMANDS_LOG2 = 8
const EVENTS_LOG2 = 7
const COMMAND_BYTES = 16

const set = ({ registers }: Target, fields: Parameters<typeof encode<typeof control0.fields>>[1]): void =>
  registers.write32(OFFSETS.CR0, Number(encode(control0, fields)[0]))

/** Queues commands behind those before, wherever the queue is, and a SYNC. Throws where they are not carried out. */
export const queue = ({ memory, registers }: Pick<Target, 'memory' | 'registers'>, commands: readonly (readonly bigint[])[]): void => {
  const { ADDR, LOG2SIZE } = decode(queueBase, [registers.read64(OFFSETS.CMDQ_BASE)])
  const size = 2 ** LOG2SIZE
  const start = registers.read32(OFFSETS.CMDQ_PROD)
  const all = [...commands, encode(syncCommand, { Opcode: OPCODES.sync })]
  all.forEach((words, index) => words.forEach((word, at) =>
    memory.store64(ADDR + BigInt(((start + index) % size) * COMMAND_BYTES + at * 8), word)))
  // One bit above the index says how often the queue has begun again.
  const end = (start + all.length) % (2 * size)
  registers.write32(OFFSETS.CMDQ_PROD, end)
  const { INDEX } = decode(commandQueueIndex, [BigInt(registers.read32(OFFSETS.CMDQ_CONS) >>> 0)])
  if (INDEX !== end) throw new Error('the SMMU does not carry out commands')
}

/** Further commands behind those of `install`; the queue is long enough for a state's. */
export const submit = (machine: Target, _plan: ArmPlan, commands: readonly (readonly bigint[])[]): void => queue(machine, commands)

const base = (frame: number, LOG2SIZE: number): bigint => encode(queueBase, { ADDR: frameAddress(frame), LOG2SIZE })[0] as bigint

export const install = (machine: Target, plan: ArmPlan): void => {
  const { memory, registers } = machine
  const { frames, streams, register } = build(plan)
  set(machine, {})
  loadFrames(memory, frames)
  registers.write32(OFFSETS.CR2, Number(encode(control2, { RECINVSID: 1 })[0]))
  registers.write64(OFFSETS.STRTAB_BASE, encode(streamTableBase, { ADDR: streams })[0] as bigint)
  registers.write32(OFFSETS.STRTAB_BASE_CFG, Number(register))
  registers.write64(OFFSETS.CMDQ_BASE, base(COMMANDS_FRAME, COMMANDS_LOG2))
  registers.write64(OFFSETS.EVENTQ_BASE, base(EVENTS_FRAME, EVENTS_LOG2))
  for (const each of [OFFSETS.CMDQ_PROD, OFFSETS.CMDQ_CONS, OFFSETS.EVENTQ_PROD, OFFSETS.EVENTQ_CONS]) registers.write32(each, 0)
  set(machine, { CMDQEN: 1 })
  queue(machine, [
    encode(cfgiSteRangeCommand, { Opcode: OPCODES.cfgiSteRange, Range: CFGI_ALL_RANGE }),
    encode(tlbiNsnhAllCommand, { Opcode: OPCODES.tlbiNsnhAll }),
  ])
  set(machine, { CMDQEN: 1, EVENTQEN: 1, SMMUEN: 1 })
}
