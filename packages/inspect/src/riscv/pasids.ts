// Finds the PASIDs of a device: every valid process context that its process directory leads to.
import { decode, decodeField } from '@iommu/bits'
import type { Directory } from '@iommu/driver-riscv/model'
import { processContext, processDirectoryEntry, processSplit } from '@iommu/driver-riscv/tables'
import type { HardwareView } from '@iommu/hardware'

const CONTEXT_BYTES = processContext.bits / 8

/** Valid contexts, in order. A leaf that is listed several times is read once. `locate`: where a guest's address really is. */
export const presentPasids = (view: HardwareView, { levels, root }: Directory, locate: (address: bigint) => bigint): number[] => {
  const split = processSplit(levels)
  const leaves = new Map<bigint, readonly number[]>()
  const load = (address: bigint): bigint => view.load64(locate(address))
  const validIn = (table: bigint, count: number): readonly number[] => {
    let inside = leaves.get(table)
    if (inside === undefined) {
      inside = Array.from({ length: count }, (_, index) => index).filter((index) =>
        decodeField(processContext, [load(table + BigInt(index * CONTEXT_BYTES)), 0n], 'V') === 1)
      leaves.set(table, inside)
    }
    return inside
  }
  const found: number[] = []
  const descend = (table: bigint, [bits = 0, ...below]: readonly number[], first: number): void => {
    if (below.length === 0) {
      for (const index of validIn(table, 2 ** bits)) found.push(first + index)
      return
    }
    const reach = 2 ** below.reduce((sum, each) => sum + each, 0)
    for (let index = 0; index < 2 ** bits; index++) {
      const { V, PPN } = decode(processDirectoryEntry, [load(table + BigInt(index * 8))])
      if (V === 1) descend(PPN, below, first + index * reach)
    }
  }
  descend(root, split, 0)
  return found
}
