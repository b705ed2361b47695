// The register side of programming: acknowledged writes, and the sequence that switches an SMMU on.
import { decode, encode } from '@iommu/bits'
import type { Entry, Fields, Values } from '@iommu/bits'
import { IommuError } from '@iommu/core'
import type { Machine } from '@iommu/hardware'
import { control0, control1, control2, globalBypass, interruptControl, OFFSETS, queueBase, streamTableBase, streamTableConfig } from '../tables/index.js'

const word = <F extends Fields>(layout: Entry<F>, values: Partial<Values<F>>): bigint => encode(layout, values)[0] as bigint

type Enables = Partial<Values<(typeof control0)['fields']>>

const acknowledged = (machine: Machine, name: 'CR0' | 'IRQ_CTRL', value: number): void => {
  const { registers } = machine
  const acknowledgement = name === 'CR0' ? OFFSETS.CR0ACK : OFFSETS.IRQ_CTRLACK
  registers.write32(OFFSETS[name], value)
  const { done, value: read } = registers.poll(() => registers.read32(acknowledgement), (each) => each === value)
  if (!done) throw new IommuError('ENODEV', `the SMMU does not acknowledge ${name}`, { written: value, acknowledged: read })
}

/** Sets the enables of CR0, all of them, and waits until they are in force. */
export const setEnables = (machine: Machine, enables: Enables): void => acknowledged(machine, 'CR0', Number(word(control0, enables)))

/** Switches interrupts of events and global errors on. */
export const enableInterrupts = (machine: Machine): void =>
  acknowledged(machine, 'IRQ_CTRL', Number(word(interruptControl, { EVENTQ: 1, GERROR: 1 })))

/** While translation is off everything aborts: nothing passes while an SMMU is being taken over. */
export const abortWhileOff = (machine: Machine): void => {
  const { registers } = machine
  const updating = (value: number): boolean => decode(globalBypass, [BigInt(value >>> 0)]).Update === 1
  const idle = (): boolean => registers.poll(() => registers.read32(OFFSETS.GBPA), (value) => !updating(value)).done
  const before = idle() ? registers.read32(OFFSETS.GBPA) : undefined
  if (before !== undefined) {
    registers.write32(OFFSETS.GBPA, Number(encode(globalBypass, { ABORT: 1, Update: 1 }, [BigInt(before >>> 0)])[0]))
    if (idle()) return
  }
  throw new IommuError('ENODEV', 'the SMMU does not take GBPA', { gbpa: registers.read32(OFFSETS.GBPA) })
}

/** CR1 and CR2: queues and tables are in write-back, inner-shareable memory; streams beyond the table are recorded. */
export const setAttributes = ({ registers }: Machine): void => {
  registers.write32(OFFSETS.CR1, Number(word(control1, {
    TABLE_SH: 3, TABLE_OC: 1, TABLE_IC: 1, QUEUE_SH: 3, QUEUE_OC: 1, QUEUE_IC: 1,
  })))
  registers.write32(OFFSETS.CR2, Number(word(control2, { PTM: 1, RECINVSID: 1 })))
}

/** Points the SMMU to its stream table. Translation is off. */
export const setStreamTable = ({ registers }: Machine, base: bigint, config: Partial<Values<(typeof streamTableConfig)['fields']>>): void => {
  registers.write64(OFFSETS.STRTAB_BASE, word(streamTableBase, { ADDR: base, RA: 1 }))
  registers.write32(OFFSETS.STRTAB_BASE_CFG, Number(word(streamTableConfig, config)))
}

/** Points the SMMU to one of its queues, which is empty then. The queue is off. */
export const setQueue = ({ registers }: Machine, name: 'CMDQ' | 'EVENTQ', base: bigint, log2size: number): void => {
  registers.write64(OFFSETS[`${name}_BASE`], word(queueBase, { ADDR: base, LOG2SIZE: log2size, RA: 1 }))
  registers.write32(OFFSETS[`${name}_PROD`], 0)
  registers.write32(OFFSETS[`${name}_CONS`], 0)
}
