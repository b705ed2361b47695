// The memory of a plan: frames in a row, with the entries on the way and the trees of tables as planned.
import { encode } from '@iommu/bits'
import type { Entry } from '@iommu/bits'
import { FRAME_BYTES, frameAddress, frameOf, PhysicalMemory } from '@iommu/hardware'
import type { Board } from '@iommu/machine-qemu'
import type { Fields, Page, Tweak } from './plan.js'
import type { Loadable } from './subject.js'

/** The words of an entry as planned. */
export const tweaked = (layout: Entry, plain: Fields, { fields = {}, flips = [] }: Tweak = {}): bigint[] => {
  const all = encode(layout, { ...plain, ...fields })
  for (const bit of flips) all[bit >> 6] = (all[bit >> 6] as bigint) ^ (1n << BigInt(bit & 63))
  return all
}

/** Words by frame number. */
export type Frames = ReadonlyMap<number, BigUint64Array>

export const loadFrames = (memory: Loadable, frames: Frames): void => {
  for (const [frame, words] of frames) memory.load(frameAddress(frame), new Uint8Array(words.buffer))
}

/** The memory of a model beside a board: it ends where the board's RAM does, and tables may lie where the board's may. */
export const memoryBeside = ({ ram, tables }: Board, coherent = true): PhysicalMemory => {
  const ends = ram.map(({ start, bytes }) => start + bytes)
  return new PhysicalMemory({ bytes: ends.reduce((last, end) => (end > last ? end : last)), tables, coherent })
}

/** Memory of a plan: frames in a row, handed out and filled. */
export interface Ground {
  readonly frames: Frames
  /** The address of so many further bytes, whole frames, all zero. */
  take(bytes?: number): bigint
  /** An entry as planned, so many times in a row. */
  put(address: bigint, layout: Entry, plain: Fields, tweak?: Tweak, copies?: number): void
}

export const createGround = (first: number): Ground => {
  const frames = new Map<number, BigUint64Array>()
  let next = first
  return {
    frames,
    take(bytes = FRAME_BYTES) {
      const count = Math.ceil(bytes / FRAME_BYTES)
      // A table is aligned to its size.
      next = Math.ceil(next / count) * count
      for (let each = 0; each < count; each++) frames.set(next + each, new BigUint64Array(FRAME_BYTES / 8))
      next += count
      return frameAddress(next - count)
    },
    put(address, layout, plain, tweak, copies = 1) {
      const frame = frames.get(frameOf(address))
      if (frame === undefined) throw new RangeError(`0x${address.toString(16)} has not been taken`)
      const words = tweaked(layout, plain, tweak)
      const first = Number(address % BigInt(FRAME_BYTES)) / 8
      for (let copy = 0; copy < copies; copy++) frame.set(words, first + copy * words.length)
    },
  }
}

/** The shape of a tree of tables, and what its entries are made of. */
interface Tree<P extends Page> {
  readonly levels: number
  /** log2 of the smallest page, and of the entries of a table. */
  readonly pageShift: number
  readonly indexBits: number
  /** Entries of the root table, log2, where it is not as the others. */
  readonly rootBits?: number
  readonly layout: Entry
  /** Fields of a plain entry that points to a table, and of a plain leaf. */
  table(level: number, address: bigint): Fields
  leaf(page: P): Fields
  /** Entries that a leaf fills; one where absent. */
  copies?(page: P): number
}

/** Puts the pages of a plan and the tables above them below a root that has been taken. */
export const plant = <P extends Page>({ take, put }: Ground, root: bigint, pages: readonly P[], tree: Tree<P>): void => {
  const { levels, pageShift, indexBits, rootBits = indexBits, layout } = tree
  const known = new Map<bigint, bigint>()
  const at = (table: bigint, iova: bigint, level: number): bigint => {
    const bits = BigInt(level === levels ? rootBits : indexBits)
    return table + ((iova >> BigInt(pageShift + indexBits * (level - 1))) & ((1n << bits) - 1n)) * 8n
  }
  for (const page of pages) {
    const { iova, level: lowest, entries } = page
    let table = root
    for (let level = levels; level > lowest; level--) {
      const address = at(table, iova, level)
      const below = known.get(address) ?? take(8 * 2 ** indexBits)
      // A table that pages share: the tweaks of the first one that has some count.
      if (!known.has(address) || entries[level] !== undefined) put(address, layout, tree.table(level, below), entries[level])
      known.set(address, below)
      table = below
    }
    put(at(table, iova, lowest), layout, tree.leaf(page), entries[lowest], tree.copies?.(page))
  }
}

/** Words that differ between two builds of the same shape: what a change stores. */
export const differences = (before: Frames, after: Frames): (readonly [address: bigint, word: bigint])[] =>
  [...before].flatMap(([frame, words]) => [...words].flatMap((word, index) => {
    const now = after.get(frame)?.[index] ?? word
    return now === word ? [] : [[frameAddress(frame) + BigInt(index * 8), now] as const]
  }))
