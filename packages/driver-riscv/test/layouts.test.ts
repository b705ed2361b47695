// Layouts, held by words from outside: worked examples decoded by the reference model's own structures, and field values
// by Linux's and QEMU's masks (fixtures/README.md).
import { describe, expect, test } from 'vitest'
import { confirmation, decode } from '@iommu/bits'
import type { Entry } from '@iommu/bits'
import { riscvEntry } from '@iommu/page-table'
import { fixture, layoutsIn, readsAlike, workedExamples } from '../../../tools/driver-tests/layouts.js'
import type { Example, Outside, Worked } from '../../../tools/driver-tests/layouts.js'
import * as tables from '../src/tables/index.js'

const layouts = layoutsIn(tables, { riscvEntry })
const worked = fixture<readonly Worked[]>(import.meta.url, 'worked')
const masks = fixture<Outside<unknown, Example>>(import.meta.url, 'masks')

describe('worked examples', () => {
  workedExamples(worked, layouts)
  test('cover every table entry, every command and the fault record', () => {
    const covered = new Set(worked.map(({ entry }) => entry))
    const registers = [
      'riscv.capabilities', 'riscv.fctl', 'riscv.queue-base', 'riscv.cqcsr', 'riscv.fqcsr', 'riscv.tr-req-ctl', 'riscv.tr-response',
    ]
    expect([...layouts.keys()].filter((name) => !covered.has(name) && !registers.includes(name))).toEqual([])
  })
})

/** What the masks call by other names. */
const NAMES: Readonly<Record<string, string>> = { 'riscv.ddte': 'riscv.ddt' }
const layoutOf = (name: string): Entry => layouts.get(NAMES[name] ?? name) as Entry

const plain = (name: string): string => name.toLowerCase().replace(/[^a-z0-9]/g, '')
const fieldOf = (layout: Entry, name: string): string | undefined =>
  Object.keys(layout.fields).find((each) => [each, ...(layout.fields[each]?.alias ?? [])].some((spelling) => plain(spelling) === plain(name)))

describe('Linux\'s and QEMU\'s masks', () => {
  test.each(Object.entries(masks.entries))('%s: every field lies where they say', (name, { fields }) => {
    const layout = layoutOf(name)
    // Linux names a destination where the specification has zero (riscv:3.1.4?).
    for (const [field, { bits, source }] of Object.entries(fields).filter(([each]) => each !== 'DST_ID')) {
      const ours = fieldOf(layout, field)
      expect(`${field} ${ours ?? 'is missing'}`).toBe(`${field} ${ours ?? ''}`)
      expect(layout.fields[ours as string]?.runs).toEqual(bits)
      const claims = confirmation(layout, ours as string)
      for (const one of ['linux', 'qemu'] as const) {
        if (claims.includes(one)) expect(`${name}.${field} by ${source}`).toBe(`${name}.${field} by ${source === one ? one : 'both'}`)
      }
    }
  })
  test.each(masks.vectors.map((each, index) => [`${each.entry} ${index}`, each] as const))('%s', (_name, vector) => {
    const layout = layoutOf(vector.entry)
    readsAlike(masks, vector, layout, (values, field) =>
      (field === 'DST_ID' ? undefined : BigInt(values[fieldOf(layout, field) as string] as number | bigint)))
  })
})

describe('capability registers that QEMU 11.1 reports', () => {
  test('on the system bus', () => {
    expect(tables.readCapabilities(0x78e2cf4f10n)).toMatchObject({
      firstStageLevels: [3, 4, 5], secondStageLevels: [3, 4, 5], processLevels: [1], extended: true, physicalBits: 56, ats: true, ranges: false,
    })
  })
  test('decode to version 1.0 with interrupts of both kinds', () => {
    expect(decode(tables.capability, [0x78e2cf4f10n])).toMatchObject({
      version: 0x10, IGS: 2, DBG: 1, HPM: 1, Svrsw60t59b: 1, MSI_FLAT: 1, MSI_MRIF: 1,
    })
  })
})

describe('directories', () => {
  test('a device id is split as the specification\'s example is', () => {
    expect(tables.indexes(tables.deviceSplit(true, 3), 0x110)).toEqual([0, 4, 0x10])
    expect(tables.indexes(tables.deviceSplit(false, 3), 0x110)).toEqual([0, 2, 0x10])
    expect([1, 2, 3].map((levels) => tables.splitLimit(tables.deviceSplit(true, levels)))).toEqual([2 ** 6, 2 ** 15, 2 ** 24])
    expect([1, 2, 3].map((levels) => tables.splitLimit(tables.deviceSplit(false, levels)))).toEqual([2 ** 7, 2 ** 16, 2 ** 24])
  })
  test('a process id too', () => {
    expect([1, 2, 3].map((levels) => tables.splitLimit(tables.processSplit(levels)))).toEqual([2 ** 8, 2 ** 17, 2 ** 20])
    expect(tables.indexes(tables.processSplit(3), 0x2_1305)).toEqual([1, 0x13, 0x05])
  })
})
