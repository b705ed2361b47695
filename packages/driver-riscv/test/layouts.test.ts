// Layouts, held by words from outside: worked examples decoded by the reference model's own structures, and field values
// by Linux's and QEMU's masks (fixtures/README.md).
import { readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { confirmation, decode, encode } from '@iommu/bits'
import type { Entry } from '@iommu/bits'
import { riscvEntry } from '@iommu/page-table'
import * as tables from '../src/tables/index.js'

const layouts = new Map([...Object.values(tables) as unknown[], riscvEntry]
  .filter((each): each is Entry => typeof each === 'object' && each !== null && 'fields' in each && 'bits' in each)
  .map((each) => [each.name, each]))

const read = (name: string): unknown => JSON.parse(readFileSync(new URL(`./fixtures/${name}`, import.meta.url), 'utf8'))

interface Worked {
  readonly what: string
  readonly entry: string
  readonly words: readonly string[]
  readonly fields: Readonly<Record<string, string>>
}
const worked = read('worked.json') as readonly Worked[]

describe('worked examples', () => {
  test.each(worked.map((each) => [each.what, each] as const))('%s', (_what, { entry, words, fields }) => {
    const layout = layouts.get(entry) as Entry
    const values = decode(layout, words.map(BigInt))
    for (const [name, value] of Object.entries(values)) {
      expect(`${name} 0x${BigInt(value).toString(16)}`).toBe(`${name} ${fields[name] ?? '0x0'}`)
    }
    const given = Object.fromEntries(Object.entries(fields).map(([name, value]) =>
      [name, ['address', 'wide'].includes(layout.fields[name]?.kind ?? '') ? BigInt(value) : Number(value)]))
    expect(encode(layout, given)).toEqual(words.map(BigInt))
  })
  test('cover every table entry, every command and the fault record', () => {
    const covered = new Set(worked.map(({ entry }) => entry))
    const registers = [
      'riscv.capabilities', 'riscv.fctl', 'riscv.queue-base', 'riscv.cqcsr', 'riscv.fqcsr', 'riscv.tr-req-ctl', 'riscv.tr-response',
    ]
    expect([...layouts.keys()].filter((name) => !covered.has(name) && !registers.includes(name))).toEqual([])
  })
})

interface Masks {
  readonly entries: Readonly<Record<string, { readonly fields: Readonly<Record<string, {
    readonly bits: readonly (readonly [number, number])[]; readonly valueMask: string; readonly source: string; readonly alias?: readonly string[]
  }>> }>>
  readonly vectors: readonly { readonly entry: string; readonly words: readonly string[]; readonly fields: Readonly<Record<string, string>> }[]
}
const masks = read('masks.json') as Masks
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
  test.each(masks.vectors.map((each, index) => [`${each.entry} ${index}`, each] as const))('%s', (_name, { entry, words, fields }) => {
    const layout = layoutOf(entry)
    const values = decode(layout, words.map(BigInt)) as Readonly<Record<string, number | bigint>>
    for (const [field, value] of Object.entries(fields).filter(([each]) => each !== 'DST_ID')) {
      const mask = BigInt(masks.entries[entry]?.fields[field]?.valueMask ?? '0')
      const ours = BigInt(values[fieldOf(layout, field) as string] as number | bigint) & mask
      expect(`${field} ${ours.toString(16)}`).toBe(`${field} ${BigInt(value).toString(16)}`)
    }
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
