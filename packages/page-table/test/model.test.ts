// Random maps and unmaps against a plain list of leaves; hardware's walk, the translation and the list agree.
import { errorCode, gatherIsEmpty, gatherReset } from '@iommu/core'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { LEAF, leaves } from '../src/index.js'
import type { Format } from '../src/index.js'
import { GB1, KB4, MB2, physicalOf, setUp, shapeName, shapes, walkAt } from './setting.js'

interface Piece {
  readonly iova: bigint
  readonly size: bigint
  readonly physical: bigint
  readonly read: boolean
  readonly write: boolean
}

/** The contract in its plainest form: leaves in a map, found by trying all of them. */
class Model {
  readonly pieces = new Map<bigint, Piece>()

  at(iova: bigint): Piece | undefined {
    return [...this.pieces.values()].find((piece) => iova >= piece.iova && iova < piece.iova + piece.size)
  }

  map(iova: bigint, physical: bigint, size: bigint, count: number, read: boolean, write: boolean): bigint {
    for (let page = 0n; page < BigInt(count); page++) {
      const start = iova + page * size
      const taken = [...this.pieces.values()].some((piece) =>
        piece.iova < start + size && start < piece.iova + piece.size)
      if (taken) return page * size
      this.pieces.set(start, { iova: start, size, physical: physical + page * size, read, write })
    }
    return BigInt(count) * size
  }

  unmap(iova: bigint, length: bigint): bigint {
    let at = iova
    while (at < iova + length) {
      const piece = this.pieces.get(at)
      if (piece === undefined) break
      this.pieces.delete(at)
      at += piece.size
    }
    return at - iova
  }
}

/** Regions in which small, middle and large pages meet: around 1 GiB lines, 2 MiB lines, and the 4 GiB line. */
const place = fc.record({
  giga: fc.constantFrom(0n, 1n, 3n, 4n),
  mega: fc.constantFrom(0n, 1n, 510n, 511n),
  kilo: fc.constantFrom(0n, 1n, 7n, 510n, 511n),
})
const size = fc.constantFrom(KB4, KB4, KB4, MB2, MB2, GB1)
const count = fc.oneof(
  { weight: 4, arbitrary: fc.integer({ min: 1, max: 6 }) },
  { weight: 1, arbitrary: fc.integer({ min: 500, max: 1030 }) },
)
const step = fc.record({
  kind: fc.constantFrom('map', 'map', 'unmap'),
  place,
  size,
  count,
  physical: fc.integer({ min: 0, max: 40 }),
  access: fc.constantFrom({ read: true, write: true }, { read: true, write: false }, { read: false, write: true }),
})

const run = (format: Format, coherent: boolean): void => {
  fc.assert(fc.property(fc.array(step, { minLength: 1, maxLength: 14 }), (steps) => {
    const { table, memory, gather } = setUp(format, { coherent })
    const model = new Model()
    const touched = new Set<bigint>()
    for (const { kind, place: { giga, mega, kilo }, size: pageSize, count: asked, physical: frame, access } of steps) {
      const pages = pageSize === GB1 ? Math.min(asked, 3) : pageSize === MB2 ? Math.min(asked, 520) : asked
      const iova = (giga * GB1 + mega * MB2 + kilo * KB4) & -pageSize
      const physical = BigInt(frame) * GB1 + (pageSize === GB1 ? 0n : 3n * MB2)
      if (kind === 'map') {
        const expected = model.map(iova, physical, pageSize, pages, access.read, access.write)
        const { mapped, error } = table.mapPages(iova, physical, pageSize, pages, access)
        expect(mapped).toBe(expected)
        expect(errorCode(error)).toBe(expected === BigInt(pages) * pageSize ? undefined : 'EADDRINUSE')
        expect(gatherIsEmpty(table.replaced)).toBe(table.replaced.freed.length === 0)
        table.release(table.replaced.freed)
        gatherReset(table.replaced)
      } else {
        const expected = model.unmap(iova, BigInt(pages) * pageSize)
        expect(table.unmapPages(iova, pageSize, pages, gather)).toBe(expected)
        expect(gatherIsEmpty(gather)).toBe(expected === 0n)
        if (expected > 0n) expect([gather.start, gather.end]).toEqual([iova, iova + expected - 1n])
        for (const freed of gather.freed) expect(memory.pages.isLive(Number(freed / KB4))).toBe(true)
        table.release(gather.freed)
        gatherReset(gather)
      }
      expect(memory.pages.live).toBe(table.tableCount)
      for (const address of [iova - 1n, iova, iova + pageSize - 1n, iova + BigInt(pages) * pageSize]) {
        if (address >= 0n) touched.add(address)
      }
    }
    for (const iova of touched) {
      const piece = model.at(iova)
      const expected = piece && piece.physical + (iova - piece.iova)
      const walked = walkAt(table, memory.walker, iova)
      expect(table.iovaToPhys(iova)).toBe(expected)
      expect(physicalOf(walked)).toBe(expected)
      if (piece && walked.status === LEAF) {
        expect(1n << BigInt(walked.pageShift)).toBe(piece.size)
        expect([walked.read, walked.write]).toEqual([piece.read || format.name === 'vtd.fs', piece.write])
      }
    }
    const listed = [...leaves(format, memory.walker, table.rootFrame)]
      .map(({ iova, pageSize, physical }) => [iova, pageSize, physical])
    const known = [...model.pieces.values()].map((piece) => [piece.iova, piece.size, piece.physical] as const)
    expect(listed).toEqual(known.sort((a, b) => (a[0] < b[0] ? -1 : 1)))
    table.free()
    expect(memory.pages.live).toBe(0)
  }), { numRuns: 60, seed: 0x10de })
}

describe.each(shapes.map((format) => [shapeName(format), format] as const))('%s', (_name, format) => {
  test('snooping walker', () => run(format, true))
  test('walker that does not snoop', () => run(format, false))
})
