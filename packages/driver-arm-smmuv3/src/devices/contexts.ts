// A device's CD table: one array, or leaves of 1024 contexts that are made as they are needed.
import type { Pasid } from '@iommu/core'
import { noMemory } from '@iommu/core/driver'
import { frameAddress, frameOf } from '@iommu/hardware'
import { levelOneContextWords } from '../domains/words.js'
import { cfgiContext } from '../programming/invalidate.js'
import type { Unit } from '../unit.js'

const CONTEXT_BYTES = 64
/** Contexts in a leaf, log2. Up to as many are one array (Linux, CTXDESC_LINEAR_CDMAX). */
const LEAF_BITS = 10

export interface Contexts {
  readonly address: bigint
  /** log2 of the contexts. 0: there is one, and no PASIDs. */
  readonly max: number
  readonly leaves: boolean
  /** Address of a context, or undefined where its leaf does not exist. */
  entry(pasid: Pasid): bigint | undefined
  /** Makes the leaf of a PASID. Throws ENOMEM, ENODEV. */
  reserve(pasid: Pasid): void
  free(): void
}

/** log2 of the contexts that a device can have: without leaves one array must hold them. */
export const contextBits = ({ capabilities }: Unit, pasidWidth: number): number => {
  const bits = Math.min(pasidWidth, capabilities.substreamBits)
  return capabilities.twoLevelContexts ? bits : Math.min(bits, LEAF_BITS)
}

/** Throws ENOMEM. */
export const createContexts = (unit: Unit, sources: readonly number[], max: number): Contexts => {
  const { memory } = unit.machine
  const allocate = (bytes: number, what: string): { readonly address: bigint; readonly frames: number } => {
    const frames = Math.max(1, bytes / 4096)
    const address = frameAddress(memory.pages.allocate(frames) ?? noMemory(what, { frames }))
    if (!unit.coherent) memory.writeBack(address, frames * 4096)
    return { address, frames }
  }
  const leaves = max > LEAF_BITS
  const table = allocate(leaves ? 2 ** (max - LEAF_BITS) * 8 : 2 ** max * CONTEXT_BYTES, 'a CD table')
  const made = new Map<number, ReturnType<typeof allocate>>()
  /** Leaves that hardware has not been told of yet. */
  const untold = new Set<number>()
  const contexts: Contexts = {
    address: table.address,
    max,
    leaves,
    entry(pasid) {
      if (!leaves) return table.address + BigInt(pasid * CONTEXT_BYTES)
      const leaf = made.get(pasid >> LEAF_BITS)
      return leaf === undefined ? undefined : leaf.address + BigInt((pasid & (2 ** LEAF_BITS - 1)) * CONTEXT_BYTES)
    },
    reserve(pasid) {
      if (!leaves) return
      const index = pasid >> LEAF_BITS
      if (!made.has(index)) {
        const leaf = allocate(2 ** LEAF_BITS * CONTEXT_BYTES, 'contexts')
        made.set(index, leaf)
        untold.add(index)
        memory.order()
        const at = table.address + BigInt(index * 8)
        memory.store64(at, levelOneContextWords(leaf.address)[0] as bigint)
        memory.order()
        if (!unit.coherent) memory.writeBack(at, 8)
      }
      if (!untold.has(index)) return
      unit.queue.submit(sources.map((source) => cfgiContext(source, pasid, false)))
      untold.delete(index)
    },
    free() {
      for (const { address, frames } of [table, ...made.values()]) memory.pages.free(frameOf(address), frames)
      made.clear()
    },
  }
  return contexts
}
