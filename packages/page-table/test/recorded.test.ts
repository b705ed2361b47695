// Tables that Linux left in memory, walked to the mappings that it says; and the same words when we map the same.
import { PhysicalMemory, addresses } from '@iommu/hardware'
import { describe, expect, test } from 'vitest'
import { amdV1, armStage1, armStage2, createPageTable, leaves, walk, createWalkResult } from '../src/index.js'
import type { ArmLpaeOptions, Format } from '../src/index.js'
import recorded from './fixtures/recorded.json'
import { impliesRead, wordAt } from './setting.js'

interface Recorded {
  readonly capture: string
  readonly what: string
  readonly format: string
  readonly options: { readonly levels?: number; readonly addressBits: number }
  readonly root: string
  readonly mappings: readonly { readonly iova: string; readonly physical: string; readonly size: string; readonly access: string }[]
  readonly tables: Readonly<Record<string, Readonly<Record<string, string>>>>
}

const formatOf = ({ format, options }: Recorded): Format =>
  format === 'amd.v1' ? amdV1({ levels: options.levels ?? 3, addressBits: options.addressBits })
    : format === 'smmuv3.s1' ? armStage1(options as ArmLpaeOptions) : armStage2(options as ArmLpaeOptions)

const load = ({ tables }: Recorded): PhysicalMemory => {
  const memory = new PhysicalMemory({ bytes: 0x8000_0000n })
  for (const [table, words] of Object.entries(tables)) {
    for (const [index, word] of Object.entries(words)) memory.store64(BigInt(table) + BigInt(index) * 8n, BigInt(word))
  }
  return memory
}

const PAGE = 4096n
const all = (recorded.tables as unknown as readonly Recorded[]).map((each) => [each.capture, each.what, each] as const)

describe.each(all)('%s: %s', (_capture, _what, each) => {
  const format = formatOf(each)
  const memory = load(each)
  const root = Number(BigInt(each.root) / PAGE)
  const walkTo = (iova: bigint): ReturnType<typeof createWalkResult> => {
    const result = createWalkResult()
    addresses.split(iova)
    walk(format, memory.walker, root, addresses.low, addresses.high, result)
    return result
  }

  test('every byte range that Linux says is mapped is reached, with its permissions', () => {
    expect(each.mappings.length).toBeGreaterThan(7)
    for (const { iova, physical, size, access } of each.mappings) {
      for (const at of [0n, BigInt(size) / 2n, BigInt(size) - 1n]) {
        const result = walkTo(BigInt(iova) + at)
        expect([result.status, addresses.join(result.physicalLow, result.physicalHigh)], iova).toEqual([0, BigInt(physical) + at])
        expect([result.read, result.write], iova).toEqual([access.includes('r') || impliesRead(format), access.includes('w')])
      }
    }
  })

  test('nothing else is', () => {
    const pages = (start: bigint, size: bigint): bigint[] =>
      Array.from({ length: Number((start % PAGE + size + PAGE - 1n) / PAGE) }, (_, page) => start / PAGE + BigInt(page))
    const listed = [...leaves(format, memory.walker, root)].flatMap(({ iova, pageSize }) => pages(iova, pageSize))
    const known = each.mappings.flatMap(({ iova, size }) => pages(BigInt(iova), BigInt(size)))
    expect(new Set(listed)).toEqual(new Set(known))
  })

  test('we write the words that Linux wrote', () => {
    const ours = new PhysicalMemory()
    const table = createPageTable({ format, memory: ours, snoop: format.name === 'amd.v1' })
    for (const { iova, physical, pageSize, read, write } of leaves(format, memory.walker, root)) {
      expect(table.mapPages(iova, physical, pageSize, 1, { read: read && !(impliesRead(format) && write), write }).error).toBeUndefined()
      for (let at = iova; at < iova + pageSize; at += pageSize / 4n) {
        const { low, high } = walkTo(at)
        expect(wordAt(table, ours.walker, at)).toBe(addresses.join(low, high))
      }
    }
    const kinds = (memoryOf: PhysicalMemory, at: number): Set<bigint> => {
      const links = new Set<bigint>()
      for (const leaf of leaves(format, memory.walker, root)) {
        addresses.split(leaf.iova)
        walk(format, memoryOf.walker, at, addresses.low, addresses.high, createWalkResult(), (level, _frame, _index, low, high) => {
          if (level > leaf.level) links.add(addresses.join(low, high) & ~0x000f_ffff_ffff_f000n)
        })
      }
      return links
    }
    expect(kinds(ours, table.rootFrame)).toEqual(kinds(memory, root))
  })
})
