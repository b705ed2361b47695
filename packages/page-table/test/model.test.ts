// Random maps and unmaps against a plain list of leaves; hardware's walk, the translation and the list agree.
import { errorCode, gatherIsEmpty, gatherReset } from '@iommu/core'
import type { MemoryOptions } from '@iommu/hardware'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { LEAF, amdV1, armStage1, leaves } from '../src/index.js'
import type { Format, PageTableOptions } from '../src/index.js'
import { amdShapes, armShapes, formatNow, impliesRead, physicalOf, setUp, shapeName, shapes, walkAt } from './setting.js'

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
    const end = iova + BigInt(count) * size
    const near = [...this.pieces.values()].filter((piece) => piece.iova < end && iova < piece.iova + piece.size)
    for (let page = 0n; page < BigInt(count); page++) {
      const start = iova + page * size
      const taken = near.some((piece) => piece.iova < start + size && start < piece.iova + piece.size)
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

/** Regions in which small, middle and large pages meet: around lines of all levels, and beyond what few levels reach. */
const place = fc.record({
  large: fc.constantFrom(0, 1, 3, 4, 4, 700, 0x5_0000),
  middle: fc.constantFrom(0, 1, -2, -1),
  small: fc.constantFrom(0, 1, 7, 8, -2, -1),
})
const count = fc.oneof(
  { weight: 4, arbitrary: fc.integer({ min: 1, max: 6 }) },
  { weight: 1, arbitrary: fc.integer({ min: 500, max: 1030 }) },
)
const step = fc.record({
  kind: fc.constantFrom('map', 'map', 'unmap'),
  place,
  size: fc.nat(),
  count,
  physical: fc.integer({ min: 0, max: 40 }),
  access: fc.constantFrom({ read: true, write: true }, { read: true, write: false }, { read: false, write: true }),
})

/** The sizes that take turns: most often the smallest, sometimes groups of equal entries, sometimes large pages. */
const sizesOf = ({ granuleShift, leafLevel, nextLevelLow }: Format): readonly bigint[] => {
  const shifts = Array.from(leafLevel, (level, shift) => (level > 0 && level <= 3 ? shift : 0)).filter((shift) => shift > 0)
  const used = nextLevelLow === 0 ? shifts : [12, 13, 16, 21, 23, 30].filter((shift) => shifts.includes(shift))
  return [granuleShift, granuleShift, ...used].map((shift) => 1n << BigInt(shift))
}

type Ways = Pick<PageTableOptions, 'growth' | 'breakBeforeMake'> & Pick<MemoryOptions, 'flat' | 'bytes' | 'tables'>

const run = (format: Format, coherent: boolean, options: Ways = {}): void => {
  const sizes = sizesOf(format)
  const [small, middle, large] = [0, 1, 2].map((each) => 1n << BigInt(format.granuleShift + each * format.bitsPerLevel))
  const [smallest, line, far] = [small as bigint, middle as bigint, large as bigint]
  const tableFrames = 2 ** (format.granuleShift - 12)
  const rootFrames = Math.max(2 ** (format.rootBits - 9), 1)
  const perTable = 1n << BigInt(format.bitsPerLevel)
  const within = (at: number): bigint => (at < 0 ? perTable + BigInt(at) : BigInt(at))
  fc.assert(fc.property(fc.array(step, { minLength: 1, maxLength: 14 }), (steps) => {
    const { table, memory, gather } = setUp(format, { coherent, ...options })
    const model = new Model()
    const touched = new Set<bigint>()
    const { end } = table.aperture
    for (const { kind, place: at, size, count: asked, physical: frame, access } of steps) {
      const pageSize = sizes[size % sizes.length] as bigint
      const wanted = (BigInt(at.large) * far + within(at.middle) * line + within(at.small) * smallest) & -pageSize
      const iova = wanted % (end + 1n)
      const room = Number((end + 1n - iova) / pageSize)
      const pages = Math.min(room, pageSize >= far ? Math.min(asked, 3) : pageSize >= line ? Math.min(asked, 520) : asked)
      if (pages === 0) continue
      const physical = (BigInt(frame) * far + (pageSize >= far ? 0n : 3n * line)) & -pageSize
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
        for (const freed of gather.freed) expect(memory.pages.isLive(Number(freed / 4096n))).toBe(true)
        table.release(gather.freed)
        gatherReset(gather)
      }
      expect(memory.pages.live).toBe(rootFrames + (table.tableCount - 1) * tableFrames)
      for (const address of [iova - 1n, iova, iova + pageSize - 1n, iova + BigInt(pages) * pageSize]) {
        if (address >= 0n && address <= end) touched.add(address)
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
        expect([walked.read, walked.write]).toEqual([piece.read || impliesRead(format), piece.write])
      }
    }
    const listed = [...leaves(formatNow(table), memory.walker, table.rootFrame)]
      .map(({ iova, pageSize, physical }) => [iova, pageSize, physical])
    const known = [...model.pieces.values()].map((piece) => [piece.iova, piece.size, piece.physical] as const)
    expect(listed).toEqual(known.sort((a, b) => (a[0] < b[0] ? -1 : 1)))
    table.free()
    expect(memory.pages.live).toBe(0)
  }), { numRuns: format.name.startsWith('vtd') ? 60 : 20, seed: 0x10de })
}

const every = [...shapes, ...amdShapes, ...armShapes]
/** Memory that is one array has ways of its own through engine and walk. */
const oneArray = { flat: true, bytes: 0x80_0000n, tables: { start: 0x10_0000n, end: 0x80_0000n } }
const PATIENCE = 60_000

describe.each(every.map((format) => [shapeName(format), format] as const))('%s', (_name, format) => {
  test('snooping walker', () => run(format, true), PATIENCE)
  test('walker that does not snoop', () => run(format, false), PATIENCE)
  test('memory that is one array', () => run(format, true, oneArray), PATIENCE)
})

describe.each([1, 3, 5])('amd.v1 growing from %i levels', (levels) => {
  test.each([true, false])('snooping: %s', (coherent) => {
    run(amdV1({ levels: 6, addressBits: 48 }), coherent, { growth: { levels, changed: () => undefined } })
  }, PATIENCE)
})

test('breaking before making', () => {
  run(armStage1({ granuleShift: 12, inputBits: 48, addressBits: 48 }), true, { breakBeforeMake: () => true })
}, PATIENCE)
