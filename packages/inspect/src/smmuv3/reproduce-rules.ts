// Why recorded words may differ from the driver's: the named rules of `reproduce`, as data.
import { decode } from '@iommu/bits'
import { armStage1Entry, armStage2Entry } from '@iommu/page-table'
import type { Difference, ReproduceRule } from '../vendor.js'

/** Nothing of the whole capture decides. */
export type RuleFacts = Readonly<Record<string, never>>

/** Outer and inner shareable: Linux makes device memory outer shareable. */
const SHAREABLE = { outer: 2n, inner: 3n } as const
/** AttrIndx by Linux's MAIR: 2 is device memory, 1 write-back. MemAttr says the same by itself. */
const ATTRIBUTES = { device: 2n, writeBack: 1n } as const
const MEMORY = { device: 1n, writeBack: 15n } as const

const changes = ({ recorded, ours }: Difference, from: bigint, to: bigint): boolean => recorded === from && ours === to

const DEVICE_SAYS = 'the page is a register, such as the one that interrupts are written to, and Linux maps it as device '
  + 'memory; the driver\'s contract has no word for that, and every page is mapped as memory.'
const DEVICE_SOURCE = 'linux 7.3.4, IOMMU_MMIO'

const isStage1Device = ({ words }: Difference): boolean => {
  const { AttrIndx, SH } = decode(armStage1Entry, words)
  return BigInt(AttrIndx) === ATTRIBUTES.device && BigInt(SH) === SHAREABLE.outer
}
const isStage2Device = ({ words }: Difference): boolean => {
  const { MemAttr, SH } = decode(armStage2Entry, words)
  return BigInt(MemAttr) === MEMORY.device && BigInt(SH) === SHAREABLE.outer
}

/** At most one holds for a difference. */
export const reproduceRules: readonly ReproduceRule<RuleFacts>[] = [
  {
    id: 'stage-1-device-memory', entry: armStage1Entry.name, field: 'AttrIndx',
    condition: (_facts, difference) =>
      isStage1Device(difference) && changes(difference, ATTRIBUTES.device, ATTRIBUTES.writeBack),
    says: DEVICE_SAYS, source: DEVICE_SOURCE,
  },
  {
    id: 'stage-1-device-shareability', entry: armStage1Entry.name, field: 'SH',
    condition: (_facts, difference) => isStage1Device(difference) && changes(difference, SHAREABLE.outer, SHAREABLE.inner),
    says: 'as stage-1-device-memory, in another field', source: DEVICE_SOURCE,
  },
  {
    id: 'stage-2-device-memory', entry: armStage2Entry.name, field: 'MemAttr',
    condition: (_facts, difference) => isStage2Device(difference) && changes(difference, MEMORY.device, MEMORY.writeBack),
    says: DEVICE_SAYS, source: DEVICE_SOURCE,
  },
  {
    id: 'stage-2-device-shareability', entry: armStage2Entry.name, field: 'SH',
    condition: (_facts, difference) => isStage2Device(difference) && changes(difference, SHAREABLE.outer, SHAREABLE.inner),
    says: 'as stage-2-device-memory, in another field', source: DEVICE_SOURCE,
  },
]
