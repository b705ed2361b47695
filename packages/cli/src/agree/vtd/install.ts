// Brings a VT-d unit into a state: tables, root pointer, and caches that have forgotten everything.
import { encode } from '@iommu/bits'
import { frameAddress } from '@iommu/hardware'
import {
  contextCacheDescriptor, DESCRIPTOR_TYPES, GRANULARITY, iotlbDescriptor, PASID_CACHE_GRANULARITY, pasidCacheDescriptor,
  waitDescriptor,
} from '@iommu/driver-intel-vtd/queues'
import { globalCommand, OFFSETS, queueAddress, rootTableAddress } from '@iommu/driver-intel-vtd/registers'
import { loadFrames } from '../ground.js'
import type { Target } from '../subject.js'
import { build, QUEUE_FRAME, STATUS_FRAME } from './plan.js'
import type { VtdPlan } from './plan.js'

const DONE = 1

const command = ({ registers }: Target, fields: Parameters<typeof encode<typeof globalCommand.fields>>[1]): void =>
  registers.write32(OFFSETS.GCMD, Number(encode(globalCommand, fields)[0]))

/** Queues descriptors from a byte offset on, and a wait behind them, and has them carried out. Throws where they are not. */
const queue = (machine: Target, wide: boolean, start: number, descriptors: readonly (readonly bigint[])[]): void => {
  const { memory, registers } = machine
  const status = frameAddress(STATUS_FRAME)
  const size = wide ? 32 : 16
  const wait = encode(waitDescriptor, { Type: DESCRIPTOR_TYPES.wait, SW: 1, StatusData: DONE, StatusAddress: status })
  memory.store32(status, 0)
  const all = [...descriptors, wait]
  all.forEach((each, index) => {
    for (let word = 0; word < size / 8; word++) memory.store64(frameAddress(QUEUE_FRAME) + BigInt(start + index * size + word * 8), each[word] ?? 0n)
  })
  registers.write64(OFFSETS.IQT, BigInt(start + all.length * size))
  if (memory.load32(status) !== DONE) throw new Error('the unit does not carry out invalidations')
}

/** Further descriptors behind those of `install`; the queue is long enough for a state's. */
export const submit = (machine: Target, { mode }: VtdPlan, descriptors: readonly (readonly bigint[])[]): void =>
  queue(machine, mode !== 'legacy', Number(machine.registers.read64(OFFSETS.IQT)), descriptors)

const contextGlobal = (): bigint[] =>
  encode(contextCacheDescriptor, { Type: DESCRIPTOR_TYPES.contextCache, G: GRANULARITY.global })
const pasidGlobal = (): bigint[] =>
  encode(pasidCacheDescriptor, { Type: DESCRIPTOR_TYPES.pasidCache, G: PASID_CACHE_GRANULARITY.global })
const iotlbGlobal = (): bigint[] => encode(iotlbDescriptor, { Type: DESCRIPTOR_TYPES.iotlb, G: GRANULARITY.global })

export const install = (machine: Target, plan: VtdPlan): void => {
  const { memory, registers } = machine
  const scalable = plan.mode !== 'legacy'
  const { frames, root } = build(plan)
  command(machine, {})
  loadFrames(memory, frames)
  registers.write64(OFFSETS.RTADDR, encode(rootTableAddress, { RTA: root, TTM: scalable ? 1 : 0 })[0] as bigint)
  command(machine, { SRTP: 1 })
  // Disabled and enabled again the queue begins at its start; QEMU lets it be disabled after a wait.
  registers.write64(OFFSETS.IQT, 0n)
  registers.write64(OFFSETS.IQA, encode(queueAddress, { IQA: frameAddress(QUEUE_FRAME), QS: 0, DW: scalable ? 1 : 0 })[0] as bigint)
  command(machine, { QIE: 1 })
  queue(machine, scalable, 0, [contextGlobal(), ...(scalable ? [pasidGlobal()] : []), iotlbGlobal()])
  command(machine, { QIE: 1, TE: 1 })
}
