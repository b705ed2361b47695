// Brings a RISC-V IOMMU into a state: tables, queues, and caches that have forgotten everything.
import { encode } from '@iommu/bits'
import { COMMANDS, fence, invalidateDevice, invalidateFirstStage, invalidateSecondStage } from '@iommu/driver-riscv/queues'
import { commandQueueStatus, directoryPointer, DIRECTORY_POINTER_MODES, faultQueueStatus, OFFSETS, queueBase } from '@iommu/driver-riscv/registers'
import { frameAddress } from '@iommu/hardware'
import { loadFrames } from '../ground.js'
import type { Target } from '../subject.js'
import { build, COMMANDS_FRAME, FAULTS_FRAME } from './plan.js'
import type { RiscvPlan } from './plan.js'

/** Queues of one page: entries of 16 and 32 bytes. */
const COMMANDS_LOG2 = 8
const FAULTS_LOG2 = 7
const COMMAND_BYTES = 16

/** Queues commands behind those before, and a fence. Throws where they are not carried out. */
const queue = ({ memory, registers }: Target, commands: readonly (readonly bigint[])[]): void => {
  const start = registers.read32(OFFSETS.cqt)
  const all = [...commands, encode(fence, { ...COMMANDS.fence, PR: 1, PW: 1 })]
  all.forEach((words, index) => words.forEach((word, at) =>
    memory.store64(frameAddress(COMMANDS_FRAME) + BigInt((start + index) * COMMAND_BYTES + at * 8), word)))
  registers.write32(OFFSETS.cqt, start + all.length)
  const head = registers.read32(OFFSETS.cqh)
  if (head !== start + all.length) throw new Error('the RISC-V IOMMU does not carry out commands')
}

/** Further commands behind those of `install`; the queue is long enough for a state's. */
export const submit = (machine: Target, _plan: RiscvPlan, commands: readonly (readonly bigint[])[]): void => queue(machine, commands)

const base = (frame: number, log2: number): bigint => encode(queueBase, { PPN: frameAddress(frame), LOG2SZ: log2 - 1 })[0] as bigint

export const install = (machine: Target, plan: RiscvPlan): void => {
  const { memory, registers } = machine
  const { frames, register } = build(plan)
  // From one directory to another only through OFF.
  registers.write64(OFFSETS.ddtp, encode(directoryPointer, { MODE: DIRECTORY_POINTER_MODES.off })[0] as bigint)
  registers.write32(OFFSETS.cqcsr, 0)
  registers.write32(OFFSETS.fqcsr, 0)
  loadFrames(memory, frames)
  registers.write64(OFFSETS.cqb, base(COMMANDS_FRAME, COMMANDS_LOG2))
  registers.write32(OFFSETS.cqt, 0)
  registers.write32(OFFSETS.cqcsr, Number(encode(commandQueueStatus, { cqen: 1 })[0]))
  registers.write64(OFFSETS.fqb, base(FAULTS_FRAME, FAULTS_LOG2))
  registers.write32(OFFSETS.fqh, 0)
  registers.write32(OFFSETS.fqcsr, Number(encode(faultQueueStatus, { fqen: 1 })[0]))
  queue(machine, [
    encode(invalidateDevice, COMMANDS.invalidateDevice),
    encode(invalidateFirstStage, COMMANDS.invalidateFirstStage),
    encode(invalidateSecondStage, COMMANDS.invalidateSecondStage),
  ])
  registers.write64(OFFSETS.ddtp, register)
}
