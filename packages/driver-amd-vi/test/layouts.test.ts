// Layouts, held by words from outside: worked examples decoded by QEMU's own macros, and field values by Linux's
// and QEMU's masks (fixtures/README.md).
import { describe, expect, test } from 'vitest'
import { confirmation, decode } from '@iommu/bits'
import type { Entry, Field } from '@iommu/bits'
import * as formats from '@iommu/page-table'
import { fixture, layoutsIn, readsAlike, workedExamples } from '../../../tools/driver-tests/layouts.js'
import type { Example, Outside, Worked } from '../../../tools/driver-tests/layouts.js'
import * as tables from '../src/tables/index.js'

const layouts = layoutsIn(tables, formats)
const ours = [...layouts.keys()].filter((name) => name.startsWith('amd.'))

const worked = fixture<readonly Worked[]>(import.meta.url, 'worked')
const outside = fixture<Outside<unknown, Example & { readonly id: string }>>(import.meta.url, 'fields')

describe('worked examples', () => workedExamples(worked, layouts))

/** Values that are no field of ours: all flags in one number, a part of a split field, a reading of bits that have another name. */
const isPart = (name: string): boolean => name === 'Flags' || name.startsWith('GCR3TRP[')
const otherwise: Readonly<Record<string, Readonly<Record<string, readonly string[]>>>> = {
  'amd.event.io-page-fault': { PASID: ['PASIDHigh', 'DomainID'] },
  'amd.event.page-tab-hardware-error': { PASID: ['PASIDHigh', 'DomainID'] },
}

const valueOf = (entry: string, values: Readonly<Record<string, number | bigint>>, name: string): bigint =>
  (otherwise[entry]?.[name] ?? [name]).reduce((value, each) => (value << 16n) | BigInt(values[each] as number | bigint), 0n)

const named = (entry: string, name: string): readonly Field[] =>
  (otherwise[entry]?.[name] ?? [name]).flatMap((each) => layouts.get(entry)?.fields[each] ?? [])

describe('fields by the masks of Linux and QEMU', () => {
  const known = outside.vectors.filter(({ entry }) => layouts.has(entry))
  test('all entries are there', () => {
    expect(Object.keys(outside.entries).filter((name) => !layouts.has(name))).toEqual([])
    expect(outside.vectors.length).toBe(133)
  })
  test.each(Object.entries(outside.entries).filter(([name]) => layouts.has(name)))('%s has every field, and nobody is named who does not say so', (entry, { fields }) => {
    for (const [name, { source }] of Object.entries(fields)) {
      if (isPart(name)) continue
      expect([name, named(entry, name).length > 0]).toEqual([name, true])
      if (otherwise[entry]?.[name] !== undefined) continue
      const said = confirmation(layouts.get(entry) as Entry, name)
      expect([name, said.includes('linux'), said.includes('qemu')]).toEqual([name, source !== 'qemu', source !== 'linux'])
    }
    const layout = layouts.get(entry) as Entry
    const silent = Object.keys(layout.fields).filter((name) =>
      fields[name] === undefined && !Object.values(otherwise[entry] ?? {}).flat().includes(name) && confirmation(layout, name).length > 0)
    expect(silent).toEqual([])
  })
  test.each(known.map((each) => [each.id, each] as const))('%s', (_id, vector) => readsAlike(
    outside, vector, layouts.get(vector.entry) as Entry, (values, name) => (isPart(name) ? undefined : valueOf(vector.entry, values, name)),
  ))
})

describe('registers that a real machine reported', () => {
  // Recorded from QEMU 11.1 as Linux 7.3.4 used it.
  test('device table, rings, control, status', () => {
    expect(decode(tables.deviceTableBase, [0x13a_8003n])).toEqual({ Size: 3, Base: 0x13a_8000n })
    expect(decode(tables.commandBufferBase, [0x0900_0000_013a_2000n])).toEqual({ Base: 0x13a_2000n, Len: 9 })
    expect(decode(tables.eventLogBase, [0x0900_0000_032f_0000n])).toEqual({ Base: 0x32f_0000n, Len: 9 })
    expect(decode(tables.control, [0x000c_0000_0003_148fn])).toMatchObject({
      IommuEn: 1, EvtLogEn: 1, EvtIntEn: 1, CmdBufEn: 1, Coherent: 1, GTEn: 1, XTEn: 1, IntCapXTEn: 1, PPREn: 0,
    })
    expect(decode(tables.status, [0x1an])).toMatchObject({ EvtInt: 1, EvtRun: 1, CmdRun: 1, EvtOvf: 0 })
    expect(decode(tables.ringPointer, [0xd20n])).toEqual({ Offset: 0xd2 })
  })
  test('capabilities', () => {
    expect(tables.readCapabilities(0x29d7n, 0x1f03_000f)).toEqual({
      hostLevels: 6, guest: true, guestLevels: [4], gcr3Levels: 1, pasidBits: 1, guestIo: false, notPresentCache: true,
      deviceTlb: true, invalidateAll: true, noExecute: false, hostAccess: false, hostDirty: false,
    })
  })
})

test('what nothing outside confirms says so, and an unknown event code is unknown', () => {
  expect(ours.length).toBeGreaterThan(30)
  expect(tables.deviceTableEntry.fields.SE.confirmedBy).toEqual([])
  expect([...tables.events.keys()]).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 13, 14])
  expect(tables.events.get(12)).toBeUndefined()
})
