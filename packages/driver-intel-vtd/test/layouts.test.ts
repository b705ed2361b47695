// Layouts, held by words from outside: worked examples decoded by QEMU's own macros, and field values by Linux's
// and QEMU's masks (fixtures/README.md).
import { describe, expect, test } from 'vitest'
import { confirmation } from '@iommu/bits'
import type { Entry } from '@iommu/bits'
import * as formats from '@iommu/page-table'
import { fixture, layoutsIn, readsAlike, workedExamples } from '../../../tools/driver-tests/layouts.js'
import type { Example, Outside, Worked } from '../../../tools/driver-tests/layouts.js'
import * as tables from '../src/tables/index.js'

const layouts = layoutsIn(tables, formats)
const worked = fixture<readonly Worked[]>(import.meta.url, 'worked')
const outside = fixture<Outside<{ readonly words: number }, Example & { readonly id: string }>>(import.meta.url, 'fields')

describe('worked examples', () => {
  workedExamples(worked, layouts)
  test('cover every table entry and every descriptor of the queue', () => {
    const covered = new Set(worked.map(({ entry }) => entry))
    const registers = ['vtd.cap', 'vtd.ecap', 'vtd.gcmd', 'vtd.gsts', 'vtd.rtaddr', 'vtd.fsts', 'vtd.iqa', 'vtd.iqercd', 'vtd.qi.iec']
    const pages = ['vtd.ss', 'vtd.fs']
    expect([...layouts.keys()].filter((name) => name.startsWith('vtd.') && ![...covered, ...registers, ...pages].includes(name))).toEqual([])
  })
})

describe('fields by the masks of Linux and QEMU', () => {
  test.each(Object.entries(outside.entries))('%s has every field where they say, and nobody is named who does not say so', (entry, { words, fields }) => {
    const layout = layouts.get(entry) as Entry
    expect(layout.bits).toBe(words * 64)
    for (const [name, { bits, source }] of Object.entries(fields)) {
      expect([name, layout.fields[name]?.runs]).toEqual([name, bits])
      const said = confirmation(layout, name)
      expect([name, said.includes('linux'), said.includes('qemu')]).toEqual([name, source !== 'qemu', source !== 'linux'])
    }
    expect(Object.keys(layout.fields).filter((name) => fields[name] === undefined && confirmation(layout, name).length > 0)).toEqual([])
  })
  test.each(outside.vectors.map((each) => [each.id, each] as const))('%s', (_id, vector) =>
    readsAlike(outside, vector, layouts.get(vector.entry) as Entry))
})

describe('capability registers that a real machine reported', () => {
  // Recorded from QEMU 11.1 as Linux 7.3.4 used it: legacy, then scalable mode with PASIDs.
  test('legacy mode: 4 levels of second stage, 48 bits', () => {
    expect(tables.readCapabilities(0x80d2008c222f0606n, 0xf00f5en)).toMatchObject({
      domainIds: 65536, cachingMode: false, secondStageLevels: [3, 4], guestAddressBits: 48, secondStageLeaves: [12, 21, 30],
      pageSelective: true, maxAddressMask: 18, faultRecords: 1, faultOffset: 0x220, rootPointerInvalidates: true,
      coherent: false, queuedInvalidation: true, deviceTlb: true, passThrough: true, scalable: false, secondStage: true, pasidBits: 0,
    })
  })
  test('scalable mode: second stage only, 16-bit PASIDs', () => {
    expect(tables.readCapabilities(0x80d2008c222f0606n, 0x497880f00f5en)).toMatchObject({
      scalable: true, firstStage: false, secondStage: true, pasidBits: 16, scalableWalkCoherent: false,
    })
  })
})

test('a fault reason that nothing outside confirms says so', () => {
  const unconfirmed = [...tables.faultReasons.values()].filter(({ confirmedBy }) => confirmedBy.length === 0)
  expect(unconfirmed.map(({ code }) => code)).toEqual([0x33, 0x84])
  expect(tables.faultReasons.get(0x5f)).toBeUndefined()
})
