// Finds the SSIDs of a stream: every valid context descriptor that its CD table leads to.
import { decode, decodeField, wordCount } from '@iommu/bits'
import type { StreamCopy } from '@iommu/driver-arm-smmuv3/model'
import { contextDescriptor, levelOneContext } from '@iommu/driver-arm-smmuv3/tables'
import type { HardwareView } from '@iommu/hardware'

export type StageOne = Extract<StreamCopy, { readonly kind: 'stage 1' }>

const ENTRY_BYTES = 64

const validIn = (view: HardwareView, table: bigint, count: number): number[] => {
  const rest = Array.from({ length: wordCount(contextDescriptor) - 1 }, () => 0n)
  return Array.from({ length: count }, (_, index) => index).filter((index) =>
    decodeField(contextDescriptor, [view.load64(table + BigInt(index * ENTRY_BYTES)), ...rest], 'V') === 1)
}

/** Valid descriptors, in order. A leaf that is listed several times is read once. */
export const presentPasids = (view: HardwareView, { contexts, leafBits, max }: StageOne): number[] => {
  if (max === 0) return []
  if (leafBits === 0) return validIn(view, contexts, 2 ** max)
  const leaves = new Map<bigint, readonly number[]>()
  const perLeaf = 2 ** Math.min(leafBits, max)
  const found: number[] = []
  for (let first = 0; first < 2 ** max; first += perLeaf) {
    const { V, L2Ptr } = decode(levelOneContext, [view.load64(contexts + BigInt((first / perLeaf) * 8))])
    if (V === 0) continue
    let inside = leaves.get(L2Ptr)
    if (inside === undefined) leaves.set(L2Ptr, (inside = validIn(view, L2Ptr, perLeaf)))
    for (const index of inside) found.push(first + index)
  }
  return found
}
