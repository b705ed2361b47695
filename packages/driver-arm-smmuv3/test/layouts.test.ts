// Layouts, held by words from outside: field places by Linux's and QEMU's masks, worked examples decoded by QEMU's own
// macros, and registers and entries that real machines had (fixtures/README.md).
import { describe, expect, test } from 'vitest'
import { breaksReserved, decode } from '@iommu/bits'
import type { Entry, Field, Run } from '@iommu/bits'
import { fixture, layoutsIn, workedExamples } from '../../../tools/driver-tests/layouts.js'
import type { Worked } from '../../../tools/driver-tests/layouts.js'
import * as tables from '../src/tables/index.js'

const layouts = layoutsIn(tables)

interface Outside {
  readonly words: number
  readonly fields: Readonly<Record<string, { readonly bits: readonly Run[]; readonly specBits?: Run; readonly composite?: boolean }>>
}

describe('field places by the masks of Linux and QEMU', () => {
  test.each(Object.entries(fixture<Record<string, Outside>>(import.meta.url, 'fields')))('%s', (name, { words, fields }) => {
    const layout = layouts.get(name) as Entry
    expect(layout.bits).toBe(words * 64)
    const places = Object.entries(fields).filter(([, { composite }]) => composite !== true)
    expect(places.map(([field]) => [field, layout.fields[field]?.runs]))
      .toEqual(places.map(([field, { bits, specBits }]) => [field, specBits === undefined ? bits : [specBits]]))
  })
})

describe('worked examples', () => workedExamples(fixture<readonly Worked[]>(import.meta.url, 'worked'), layouts))

test('the layout of every opcode and every event is that of its name', () => {
  for (const layout of Object.values(tables.commands)) expect(layout.fields.Opcode.runs).toEqual([[7, 0]])
  expect(Object.keys(tables.commands).map(Number).sort((a, b) => a - b)).toEqual(Object.values(tables.OPCODES).sort((a, b) => a - b))
  expect([...tables.events.keys()].sort((a, b) => a - b)).toEqual(Object.values(tables.EVENTS).sort((a, b) => a - b))
  for (const { name, layout } of tables.events.values()) {
    if (layout !== tables.anyEvent) expect(layout.name).toBe(`smmuv3.event.${name.toLowerCase().replaceAll('_', '-')}`)
  }
  expect(tables.events.get(0x30)).toBeUndefined()
})

describe('registers that real machines had', () => {
  // Recorded from QEMU 11.1 as Linux 7.3.4 used it: both stages (Linux took the first), then the second alone.
  const idrs = { IDR0: 0x0d44_101b, IDR1: 0x0273_0010, IDR3: 0x1414, IDR5: 0x74 }
  test('both stages, no SSIDs, 2-level stream table, 44-bit output', () => {
    expect(tables.readCapabilities(idrs)).toEqual({
      stage1: true, stage2: true, aarch64: true, littleEndian: true, coherent: true, flagUpdates: 0, hypervisor: false,
      ats: false, splitStageAts: false, pri: false, asidBits: 16, vmidBits: 16, twoLevelContexts: false, twoLevelStreams: true,
      stalls: 'never', abortOnly: true, streamBits: 16, substreamBits: 0, commandQueue: 19, eventQueue: 19, pageRequestQueue: 0,
      attributeOverride: false, presetTables: false, presetQueues: false, hierarchicalAttributesDisable: true, forceWriteBack: false,
      smallTables: false, rangeInvalidation: true, breakBeforeMakeLevel: 2, permissionTable: false, outputBits: 44, inputBits: 48,
      granules: [12, 14, 16], mostStalled: 0,
    })
  })
  test('stage 2 alone', () => {
    expect(tables.readCapabilities({ ...idrs, IDR0: 0x0d44_1019 })).toMatchObject({ stage1: false, stage2: true })
  })
})

describe('entries that Linux 7.3.4 left in memory', () => {
  test('a stream with stage 1, its CD, and the descriptor above', () => {
    expect(decode(tables.streamEntry, [0x4472_700bn, 0xd6n, 0n, 0n, 0n, 0n, 0n, 0n]))
      .toMatchObject({ V: 1, Config: 5, S1ContextPtr: 0x4472_7000n, S1CDMax: 0, S1DSS: 2, S1CIR: 1, S1COR: 1, S1CSH: 3, S1STALLD: 0 })
    expect(decode(tables.contextDescriptor, [0x0001_e204_c000_3510n, 0x4472_6000n, 0n, 0xffff_ffff_f404_ff44n, 0n, 0n, 0n, 0n]))
      .toMatchObject({ V: 1, T0SZ: 16, TG0: 0, EPD0: 0, EPD1: 1, IPS: 4, AA64: 1, ASID: 1, TTB0: 0x4472_6000n, R: 1, A: 1, ASET: 1 })
  })
})

test('a field that nothing outside confirms says so', () => {
  const unconfirmed = [...layouts.values()].flatMap(({ name, fields }) =>
    Object.entries(fields).filter(([, { confirmedBy }]) => confirmedBy?.length === 0).map(([field]) => `${name} ${field}`))
  expect(unconfirmed).toEqual([])
})

describe('places as the headings of IHI 0070 G.b have them', () => {
  const { streamEntry, contextDescriptor, globalError } = tables
  test.each([
    [streamEntry, 'S2HAFT', [187, 187]], [streamEntry, 'S2PIE', [188, 188]], [streamEntry, 'S2POE', [189, 189]], [streamEntry, 'DPT_VMATCH', [191, 190]],
    // HWU159 to HWU162.
    [contextDescriptor, 'HWU1', [191, 188]],
    // DPT_ERR.
    [globalError, 'DPT', [10, 10]],
  ] as const)('%o %s', (layout, name, run) => {
    expect((layout.fields as Readonly<Record<string, Field>>)[name]?.runs).toEqual([run])
  })
  test('what is implementation defined, or of the secure stage 2, is nothing that must be zero (5.2)', () => {
    for (const [high, low] of [[127, 116], [159, 144], [271, 256], [293, 288], [295, 294], [303, 302], [447, 384]] as const) {
      const bits = ((1n << BigInt(high - low + 1)) - 1n) << BigInt(low % 64)
      const words = Array.from({ length: 8 }, (_, index) => (index === Math.floor(low / 64) ? bits : 0n))
      expect(breaksReserved(streamEntry, words)).toBe(false)
    }
  })
})
