// The driver's words beside those that Linux left in memory: given kind of domain, ids and roots, the same entries; given
// the pages, the same tables. Captures lie beside the repository where somebody has put them.
import { describe, expect, test } from 'vitest'
import { decode } from '@iommu/bits'
import { frameAddress, frameOf, PhysicalMemory } from '@iommu/hardware'
import type { HardwareView } from '@iommu/hardware'
import { amdV1Entry, leaves } from '@iommu/page-table'
import type { EmptyTable } from '@iommu/page-table'
import { captured, capturedTables, capturesOf } from '../../../tools/driver-tests/captures.js'
import { hex } from '../../../tools/driver-tests/spell.js'
import { deviceTableEntry, OFFSETS, readCapabilities } from '../src/tables/index.js'
import type { HostLevels } from '../src/tables/index.js'
import { entryWords, tablesFormat, writeTables } from '../src/reproduce.js'
import type { PointState, TablesFacts } from '../src/reproduce.js'

const captures = capturesOf('amd')

interface Expected {
  readonly devices: readonly { readonly bdf: string; readonly effectFromTables: string; readonly words: readonly string[] }[]
}

const viewOf = (name: string): HardwareView => {
  const { pages, zeroPages } = captured<{ pages: Record<string, number>; zeroPages: readonly string[] }>(name, 'tables')
  const bytes = capturedTables(name)
  const offsets = new Map(Object.entries(pages).map(([address, offset]) => [frameOf(BigInt(address)), offset]))
  const zeros = new Set(zeroPages.map((address) => frameOf(BigInt(address))))
  let low = 0
  let high = 0
  return {
    has: (frame) => offsets.has(frame) || zeros.has(frame),
    load64: (address) => bytes.readBigUInt64LE((offsets.get(frameOf(address)) ?? 0) + Number(address & 0xfffn)),
    loadPair(frame, index) {
      const offset = offsets.get(frame)
      low = offset === undefined ? 0 : bytes.readInt32LE(offset + index * 8)
      high = offset === undefined ? 0 : bytes.readInt32LE(offset + index * 8 + 4)
    },
    get low() { return low },
    get high() { return high },
  }
}

/** What Linux says that the device meets, with ids and roots read from the entry. */
const stateOf = (effect: string, words: readonly bigint[]): PointState => {
  const { Mode, HostPTRoot, DomainID } = decode(deviceTableEntry, words)
  return effect === 'translated' ? { kind: 'host', levels: Mode as HostLevels, root: HostPTRoot, domainId: DomainID }
    : effect === 'identity' ? { kind: 'identity' } : { kind: 'blocked' }
}

const wordAt = (view: HardwareView, frame: number, index: number): bigint => {
  view.loadPair(frame, index)
  return (BigInt(view.high >>> 0) << 32n) | BigInt(view.low >>> 0)
}

/** Tables below a table that have no present entry, and the words that differ between two trees, tables' addresses aside. */
const walkTables = (view: HardwareView, frame: number, level: number, iova: bigint, empty: EmptyTable[]): void => {
  let present = 0
  for (let index = 0; index < 512; index++) {
    const entry = decode(amdV1Entry, [wordAt(view, frame, index)])
    if (entry.PR === 0) continue
    present++
    if (level > 1 && entry.NextLevel === level - 1) {
      walkTables(view, frameOf(entry.ADDR), level - 1, iova + BigInt(index) * (1n << BigInt(12 + 9 * (level - 1))), empty)
    }
  }
  if (present === 0) empty.push({ iova, level })
}

const differences = (theirs: HardwareView, a: number, ours: HardwareView, b: number, level: number): string[] => {
  const found: string[] = []
  for (let index = 0; index < 512; index++) {
    const [left, right] = [wordAt(theirs, a, index), wordAt(ours, b, index)]
    const [one, other] = [decode(amdV1Entry, [left]), decode(amdV1Entry, [right])]
    const isTable = level > 1 && one.PR === 1 && one.NextLevel === level - 1
    if (isTable && other.PR === 1 && other.NextLevel === one.NextLevel && (left ^ right) === (one.ADDR ^ other.ADDR)) {
      found.push(...differences(theirs, frameOf(one.ADDR), ours, frameOf(other.ADDR), level - 1))
    } else if (left !== right) {
      found.push(`level ${level} index ${index}: ${hex(left)}, ours ${hex(right)}`)
    }
  }
  return found
}

describe.skipIf(captures.length === 0)('captures of Linux 7.3.4', () => {
  test.each(captures)('%s', (name) => {
    const { devices } = captured<Expected>(name, 'expected')
    const { registers } = captured<{ registers: readonly { offset: string; value: string }[] }>(name, 'registers')
    const capabilities = readCapabilities(BigInt(registers.find(({ offset }) => Number(offset) === OFFSETS.EFR)?.value ?? 0), 0)
    const view = viewOf(name)
    const roots = new Map<bigint, TablesFacts>()
    for (const { bdf, effectFromTables, words } of devices) {
      const theirs = words.map(BigInt)
      const state = stateOf(effectFromTables, theirs)
      expect([bdf, entryWords(state, { ats: false, gcr3: undefined }, theirs)]).toEqual([bdf, theirs])
      if (state.kind === 'host') roots.set(state.root, { stage: 'host', levels: state.levels, capabilities, hostAddressBits: 48 })
    }
    for (const [root, facts] of roots) {
      const empty: EmptyTable[] = []
      walkTables(view, frameOf(root), facts.levels, 0n, empty)
      const pages = [...leaves(tablesFormat(facts), view, frameOf(root))]
      const memory = new PhysicalMemory()
      const { rootFrame } = writeTables(memory, facts, pages, empty)
      expect([hex(root), differences(view, frameOf(root), memory.walker, rootFrame, facts.levels)]).toEqual([hex(root), []])
    }
    expect(devices.length).toBeGreaterThan(5)
  })
})

test('the comparison can fail', () => {
  const facts: TablesFacts = { stage: 'host', levels: 3, capabilities: readCapabilities(0x29d7n, 0), hostAddressBits: 48 }
  const page = { iova: 0x1000n, physical: 0x5000n, pageSize: 0x1000n, read: true, write: true }
  const [one, other] = [new PhysicalMemory(), new PhysicalMemory()]
  const mine = writeTables(one, facts, [page], [])
  const yours = writeTables(other, facts, [{ ...page, write: false }], [])
  expect(differences(one.walker, mine.rootFrame, other.walker, yours.rootFrame, 3)).toEqual([
    'level 1 index 1: 0x7000000000005001, ours 0x3000000000005001',
  ])
  expect(frameAddress(mine.rootFrame)).toBeGreaterThan(0n)
})
