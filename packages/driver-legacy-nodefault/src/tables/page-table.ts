// A small page table from the driver's side: map, unmap and translate in tables of any shape.
//
// The radix engine of @iommu/page-table is made for 512 eight-byte entries in a 4 KiB table; the tables here have 256
// to a million entries of four or eight bytes, one of them lies in registers, and none of them is large or hot.
import { gatherAdd, IommuError } from '@iommu/core'
import type { Access, Gather, IommuErrorCode, MapResult } from '@iommu/core'
import { noMemory } from '@iommu/core/driver'
import { entryAddress, inputBits, tableBytes, walkShape } from './shape.js'
import type { Level, LoadEntry, PageKind, Shape, Visited } from './shape.js'

/** Where the entries lie: memory, or an array behind registers. */
export interface Storage {
  load: LoadEntry
  /** Stores an entry, and makes it seen by hardware. */
  store(address: bigint, word: bigint): void
  /** Stores before it are seen before stores after it. */
  order(): void
  /** A table full of `word`, aligned to its size, or undefined where there is no memory. */
  allocate(bytes: number, word: bigint): bigint | undefined
  free(table: bigint, bytes: number): void
}

export interface SmallTable {
  readonly shape: Shape
  /** Address of the root table. */
  readonly root: bigint
  readonly pageSizes: bigint
  readonly aperture: { readonly start: bigint; readonly end: bigint }
  mapPages(iova: bigint, physical: bigint, pageSize: bigint, count: number, access: Access): MapResult
  /** Tables that nothing leads to any more are added to `gather.freed`. */
  unmapPages(iova: bigint, pageSize: bigint, count: number, gather: Gather): bigint
  iovaToPhys(iova: bigint): bigint | undefined
  /** Addresses of the entries that hardware reads for the range, both ends inclusive: each level's once. */
  entries(start: bigint, end: bigint): bigint[]
  /** All tables, the root first: where they are, how large, and at which level. */
  parts(): readonly { readonly at: bigint; readonly bytes: number; readonly depth: number }[]
  /** Gives tables back that no hardware looks into any more, and empties the list. */
  release(freed: bigint[]): void
  free(): void
}

/** A page kind, and the level at which it lies. */
interface Placed extends PageKind {
  readonly depth: number
  readonly size: bigint
}

const placed = ({ levels }: Shape): Placed[] => levels.flatMap(({ pages }, depth) =>
  pages.map((kind) => ({ ...kind, depth, size: 1n << BigInt(kind.shift) })))

type Refused = readonly [code: IommuErrorCode, sentence: string]

/** Throws ENOMEM where there is no memory for the root table. `aperture`: where less than the whole width is translated. */
export const createSmallTable = (shape: Shape, storage: Storage, aperture?: SmallTable['aperture']): SmallTable => {
  const kinds = placed(shape)
  const { levels, form } = shape
  const range = aperture ?? { start: 0n, end: (1n << BigInt(inputBits(shape))) - 1n }
  const smallest = kinds.reduce((least, { size }) => (size < least ? size : least), 1n << 63n)
  const bytesAt = (depth: number): number => tableBytes(shape, levels[depth] as Level)
  const allocate = (depth: number): bigint | undefined => storage.allocate(bytesAt(depth), (levels[depth] as Level).empty)
  const root = allocate(0) ?? noMemory(`a ${shape.name} root table`)
  /** Tables below the root: how many of their entries say something, and at which level they are. */
  const tables = new Map<bigint, { live: number; readonly depth: number }>()
  const walk = (iova: bigint): Visited[] => walkShape(shape, storage.load, root, iova)
  const last = (visited: readonly Visited[]): Visited => visited[visited.length - 1] as Visited
  const count = (table: bigint, change: number): number => {
    const known = tables.get(table)
    return known === undefined ? Infinity : (known.live += change)
  }

  const refusal = (iova: bigint, physical: bigint, pageSize: bigint, pages: number, access: Access): Refused | undefined => {
    if (!Number.isSafeInteger(pages) || pages <= 0) return ['EINVAL', 'there is no page to map']
    if (!access.read && !access.write) return ['EINVAL', 'a mapping must allow reads or writes']
    const why = shape.refuses(access)
    if (why !== undefined) return ['EINVAL', `a ${shape.name} page cannot be ${access.read ? 'read' : 'write'}-only: ${why}`]
    if (!kinds.some(({ size }) => size === pageSize)) return ['EINVAL', `${shape.name} tables have no pages of this size`]
    if (((iova | physical) & (pageSize - 1n)) !== 0n) return ['EINVAL', 'addresses are not aligned to the page size']
    const size = pageSize * BigInt(pages)
    if (iova + size > 1n << 64n || physical + size > 1n << 64n) return ['EOVERFLOW', 'the range wraps']
    if (iova < range.start || iova + size - 1n > range.end) return ['ERANGE', 'the device address is outside of what is translated']
    if (physical + size > 1n << BigInt(shape.physicalBits)) return ['ERANGE', 'the physical address is too wide for an entry']
    return undefined
  }

  /** Entries that a page takes in its table: one, or a copy for each of the smaller ones that it covers. */
  const copies = ({ depth, size }: Placed): number => Math.max(1, Number(size >> BigInt((levels[depth] as Level).low)))
  const storeCopies = (address: bigint, kind: Placed, word: bigint): void => {
    for (let each = 0; each < copies(kind); each++) storage.store(address + BigInt(each * form.bytes), word)
  }

  /** Makes the missing tables and hangs them below what a walk found, the lowest first, so that none is seen half made. */
  const hang = (found: Visited, kind: Placed, iova: bigint, word: bigint): boolean => {
    const made: { readonly table: bigint; readonly depth: number }[] = []
    for (let depth = found.depth + 1; depth <= kind.depth; depth++) {
      const table = allocate(depth)
      if (table === undefined) {
        for (const each of made) storage.free(each.table, bytesAt(each.depth))
        return false
      }
      made.unshift({ table, depth })
    }
    let child = 0n
    for (const { table, depth } of made) {
      const level = levels[depth] as Level
      const at = entryAddress(shape, level, table, iova)
      if (depth === kind.depth) storeCopies(at, kind, word)
      else storage.store(at, level.table?.(child) ?? level.empty)
      storage.order()
      tables.set(table, { live: depth === kind.depth ? copies(kind) : 1, depth })
      child = table
    }
    storage.store(found.address, found.level.table?.(child) ?? found.level.empty)
    count(found.table, 1)
    return true
  }
  const mapOne = (iova: bigint, physical: bigint, kind: Placed, access: Access): Refused | undefined => {
    const found = last(walkShape({ ...shape, levels: levels.slice(0, kind.depth + 1) }, storage.load, root, iova))
    const word = kind.encode(physical, access)
    if (found.depth < kind.depth) {
      if (found.meaning.is !== 'empty') return ['EADDRINUSE', 'a larger page is mapped there']
      return hang(found, kind, iova, word) ? undefined : ['ENOMEM', 'no memory for a table']
    }
    for (let each = 0; each < copies(kind); each++) {
      const live = found.level.read(storage.load(found.address + BigInt(each * form.bytes))).is !== 'empty'
      if (live) return ['EADDRINUSE', 'something is mapped there']
    }
    storeCopies(found.address, kind, word)
    count(found.table, copies(kind))
    return undefined
  }

  /** Takes a page out; tables that it leaves empty are unhooked, and wait in the gather. */
  const unmapOne = (visited: readonly Visited[], kind: Placed, gather: Gather): void => {
    const leaf = last(visited)
    storeCopies(leaf.address, kind, leaf.level.empty)
    let left = count(leaf.table, -copies(kind))
    for (let depth = visited.length - 1; depth > 0 && left === 0; depth--) {
      const parent = visited[depth - 1] as Visited
      storage.store(parent.address, parent.level.empty)
      gather.freed.push((visited[depth] as Visited).table)
      left = count(parent.table, -1)
    }
  }

  const kindOf = ({ depth, meaning }: Visited): Placed | undefined =>
    meaning.is === 'page' ? kinds.find((each) => each.depth === depth && each.shift === meaning.shift) : undefined

  const table: SmallTable = {
    shape,
    root,
    pageSizes: kinds.reduce((all, { size }) => all | size, 0n),
    aperture: range,
    mapPages(iova, physical, pageSize, pages, access) {
      const refused = refusal(iova, physical, pageSize, pages, access)
      const kind = kinds.find(({ size }) => size === pageSize)
      if (refused !== undefined || kind === undefined) {
        const [code, sentence] = refused ?? ['EINVAL', 'there are no pages of this size']
        return { mapped: 0n, error: new IommuError(code, sentence, { iova, physical, pageSize }) }
      }
      for (let page = 0; page < pages; page++) {
        const mapped = BigInt(page) * pageSize
        const stopped = mapOne(iova + mapped, physical + mapped, kind, access)
        if (stopped !== undefined) return { mapped, error: new IommuError(stopped[0], stopped[1], { iova: iova + mapped }) }
      }
      return { mapped: pageSize * BigInt(pages) }
    },
    unmapPages(iova, pageSize, pages, gather) {
      const size = pageSize * BigInt(pages)
      if (iova < range.start || iova + size - 1n > range.end) return 0n
      let removed = 0n
      while (removed < size) {
        const at = iova + removed
        const visited = walk(at)
        const kind = kindOf(last(visited))
        // A hole, or the inside of a larger page, which is not split.
        if (kind === undefined || (at & (kind.size - 1n)) !== 0n) break
        unmapOne(visited, kind, gather)
        gatherAdd(gather, at, kind.size, kind.size)
        removed += kind.size
      }
      return removed
    },
    iovaToPhys(iova) {
      if (iova < range.start || iova > range.end) return undefined
      const { meaning } = last(walk(iova))
      return meaning.is === 'page' ? meaning.physical + (iova & ((1n << BigInt(meaning.shift)) - 1n)) : undefined
    },
    entries(start, end) {
      const all = new Set<bigint>()
      for (let at = start & ~(smallest - 1n); at <= end; at += smallest) for (const { address } of walk(at)) all.add(address)
      return [...all]
    },
    parts: () => [{ at: root, depth: 0 }, ...[...tables].map(([at, { depth }]) => ({ at, depth }))]
      .map(({ at, depth }) => ({ at, depth, bytes: bytesAt(depth) })),
    release(freed) {
      for (const each of freed.splice(0)) {
        const known = tables.get(each)
        if (known === undefined) throw new RangeError(`0x${each.toString(16)} is no table of this ${shape.name} tree`)
        storage.free(each, bytesAt(known.depth))
        tables.delete(each)
      }
    },
    free() {
      for (const [each, { depth }] of tables) storage.free(each, bytesAt(depth))
      tables.clear()
      storage.free(root, bytesAt(0))
    },
  }
  return table
}
