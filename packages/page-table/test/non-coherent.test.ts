// Memory whose walker does not snoop: it sees a mapping only through what is written back.
import { PhysicalMemory } from '@iommu/hardware'
import type { HardwareEvent } from '@iommu/hardware'
import { describe, expect, test } from 'vitest'
import { ABSENT, createPageTable, secondStage } from '../src/index.js'
import { GB1, KB4, MB2, RW, attributesOf, physicalOf, setUp, shapeName, shapes, walkAt } from './setting.js'

describe.each(shapes.map((format) => [shapeName(format), format] as const))('%s', (_name, format) => {
  test('maps and unmaps are seen by the walker when the call returns', () => {
    const { table, memory, gather } = setUp(format, { coherent: false })
    table.mapPages(GB1 - 3n * KB4, MB2, KB4, 600, RW)
    table.mapPages(4n * GB1, 0n, MB2, 513, RW)
    for (const iova of [GB1 - 3n * KB4, GB1, GB1 + 596n * KB4, 4n * GB1, 5n * GB1 + 0x1234n]) {
      expect(physicalOf(walkAt(table, memory.walker, iova))).toBe(table.iovaToPhys(iova))
      expect(table.iovaToPhys(iova)).toBeDefined()
    }
    table.unmapPages(GB1 - 3n * KB4, KB4, 600, gather)
    table.unmapPages(4n * GB1, MB2, 513, gather)
    for (const iova of [GB1 - 3n * KB4, GB1, GB1 + 596n * KB4, 4n * GB1, 5n * GB1]) {
      expect(walkAt(table, memory.walker, iova).status).toBe(ABSENT)
    }
  })

  test('a second map into an existing table is written back too', () => {
    const { table, memory } = setUp(format, { coherent: false })
    table.mapPages(0n, 0n, KB4, 1, RW)
    table.mapPages(KB4, GB1, KB4, 9, RW)
    expect(physicalOf(walkAt(table, memory.walker, 9n * KB4))).toBe(GB1 + 8n * KB4)
  })

  test('links say that they are written back; leaves and coherent tables do not', () => {
    const notes = format.name === 'vtd.ss' ? [0x403n, 0x3n, 0x3n] : [0x227n, 0x67n, 0x27n]
    const apart = setUp(format, { coherent: false })
    apart.table.mapPages(0n, 0n, KB4, 1, RW)
    const words = attributesOf(apart.table, apart.memory.walker, 0n)
    expect(words).toEqual([...new Array<bigint>(format.levels - 1).fill(notes[0] as bigint), notes[1]])
    const snooping = setUp(format)
    snooping.table.mapPages(0n, 0n, KB4, 1, RW)
    expect(attributesOf(snooping.table, snooping.memory.walker, 0n)[0]).toBe(notes[2])
  })
})

const format = secondStage({ levels: 4, leafShifts: [12, 21, 30], addressBits: 46, snoopControl: false })

test('a stale frame is written back before it becomes a table', () => {
  const memory = new PhysicalMemory({ coherent: false, tables: { start: 0n, end: 0x10_0000n } })
  memory.load(0n, new Uint8Array(0x10_0000).fill(0xff))
  const table = createPageTable({ format, memory, coherent: false })
  table.mapPages(0n, 0n, KB4, 1, RW)
  for (const iova of [100n * KB4, 100n * MB2, 100n * GB1, 100n * 512n * GB1]) {
    expect(walkAt(table, memory.walker, iova).status).toBe(ABSENT)
  }
})

test('the walker sees that a table is cut off when the unmap returns', () => {
  const { table, memory, gather } = setUp(format, { coherent: false })
  table.mapPages(0n, 0n, KB4, 512, RW)
  table.unmapPages(0n, KB4, 512, gather)
  expect(walkAt(table, memory.walker, 0n)).toMatchObject({ status: ABSENT, level: 2, low: 0, high: 0 })
})

test('a leaf that replaces empty tables is seen by the walker when the map returns', () => {
  const { table, memory, gather } = setUp(format, { coherent: false })
  table.mapPages(MB2, 0n, KB4, 1, RW)
  table.unmapPages(MB2, KB4, 1, gather)
  table.mapPages(0n, GB1, MB2, 2, RW)
  expect(physicalOf(walkAt(table, memory.walker, MB2))).toBe(GB1 + MB2)
})

test('tables are written back whole, and ordered, before the link and its own write-back', () => {
  const { table, memory } = setUp(format, { coherent: false })
  const events: HardwareEvent[] = []
  memory.events.observe((event) => { if (event.kind !== 'allocate') events.push(event) })
  table.mapPages(0n, 0n, KB4, 2, RW)
  expect(events.map((event) => event.kind === 'write-back' ? `write-back ${event.bytes}` : event.kind)).toEqual([
    'store', 'store', 'store', 'store',
    'write-back 4096', 'write-back 4096', 'write-back 4096',
    'order', 'store', 'write-back 8',
  ])
})

test('coherent tables are never written back', () => {
  const { table, memory, gather } = setUp(format)
  const kinds = new Set<string>()
  memory.events.observe(({ kind }) => kinds.add(kind))
  table.mapPages(0n, 0n, KB4, 512, RW)
  table.unmapPages(0n, KB4, 512, gather)
  expect(kinds.has('write-back')).toBe(false)
})
