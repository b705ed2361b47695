// The register side of programming: the queues, and the pointer to the device directory.
import { decode, encode } from '@iommu/bits'
import type { Entry } from '@iommu/bits'
import { IommuError } from '@iommu/core'
import type { Machine } from '@iommu/hardware'
import { commandQueueStatus, directoryPointer, faultQueueStatus, featureControl, OFFSETS, queueBase } from '../tables/index.js'

const word = (layout: Entry, values: Readonly<Record<string, number | bigint>>): bigint => encode(layout, values)[0] as bigint

/** Writes a 32-bit control register and waits for what its bits say. */
const command = (machine: Machine, offset: number, value: bigint, what: string, done: (status: number) => boolean): void => {
  machine.registers.write32(offset, Number(value))
  const polled = machine.registers.poll(() => machine.registers.read32(offset), done)
  if (!polled.done) throw new IommuError('ENODEV', `the unit does not acknowledge: ${what}`, { status: polled.value })
}

const commandQueueIs = (on: number) => (status: number): boolean => {
  const { cqon, busy } = decode(commandQueueStatus, [BigInt(status)])
  return cqon === on && busy === 0
}

const faultQueueIs = (on: number) => (status: number): boolean => {
  const { fqon, busy } = decode(faultQueueStatus, [BigInt(status)])
  return fqon === on && busy === 0
}

/** Switches the command queue on over `2^log2Entries` commands at `base`; it is empty then. Throws ENODEV. */
export const enableCommandQueue = (machine: Machine, base: bigint, log2Entries: number): void => {
  command(machine, OFFSETS.cqcsr, 0n, 'cqcsr.cqon stays 1', commandQueueIs(0))
  machine.registers.write64(OFFSETS.cqb, word(queueBase, { LOG2SZ: log2Entries - 1, PPN: base }))
  machine.registers.write32(OFFSETS.cqt, 0)
  command(machine, OFFSETS.cqcsr, word(commandQueueStatus, { cqen: 1 }), 'cqcsr.cqon stays 0', commandQueueIs(1))
}

/** The same for fault records. */
export const enableFaultQueue = (machine: Machine, base: bigint, log2Entries: number): void => {
  command(machine, OFFSETS.fqcsr, 0n, 'fqcsr.fqon stays 1', faultQueueIs(0))
  machine.registers.write64(OFFSETS.fqb, word(queueBase, { LOG2SZ: log2Entries - 1, PPN: base }))
  machine.registers.write32(OFFSETS.fqh, 0)
  command(machine, OFFSETS.fqcsr, word(faultQueueStatus, { fqen: 1 }), 'fqcsr.fqon stays 0', faultQueueIs(1))
}

/** Waits for the write before to be carried out, writes, waits, and answers the mode that is in force. Throws ENODEV. */
export const setDirectory = ({ registers }: Machine, MODE: number, root: bigint): number => {
  const settled = (): number => {
    const { done, value } = registers.poll(() => decode(directoryPointer, [registers.read64(OFFSETS.ddtp)]), ({ BUSY }) => BUSY === 0)
    if (!done) throw new IommuError('ENODEV', 'the unit does not acknowledge: ddtp.busy stays 1')
    return value.MODE
  }
  settled()
  registers.write64(OFFSETS.ddtp, word(directoryPointer, { MODE, PPN: root }))
  return settled()
}

/** Little-endian, 64-bit stages. Throws ENODEV where the unit insists on something else. */
export const setFeatures = ({ registers }: Machine): void => {
  registers.write32(OFFSETS.fctl, 0)
  const { BE, GXL } = decode(featureControl, [BigInt(registers.read32(OFFSETS.fctl))])
  if (BE !== 0) throw new IommuError('ENODEV', 'the unit is big-endian and cannot change')
  if (GXL !== 0) throw new IommuError('ENODEV', 'the unit has 32-bit second stages only')
}
