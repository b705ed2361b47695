// The layouts and formats against words and masks from outside.
import { decode, reservedMask } from '@iommu/bits'
import { addresses } from '@iommu/hardware'
import type { Entry } from '@iommu/bits'
import { describe, expect, test } from 'vitest'
import {
  amdV1, amdV1Entry, armStage1, armStage1Entry, armStage2, armStage2Entry, firstStage, firstStageEntry, secondStage, secondStageEntry, walkingOf,
} from '../src/index.js'
import type { Format, Lane } from '../src/index.js'
import { amdShapes, armShapes, shapeName, shapes } from './setting.js'
import amdWords from './fixtures/amd-v1.json'
import stage1Words from './fixtures/arm-stage1.json'
import stage2Words from './fixtures/arm-stage2.json'
import firstWords from './fixtures/vtd-first-stage.json'
import secondWords from './fixtures/vtd-second-stage.json'

interface Outside {
  readonly fields: Readonly<Record<string, OutsideField>>
  readonly vectors: readonly Vector[]
}

interface OutsideField {
  readonly bits: readonly (readonly number[])[]
  readonly valueMask: string
  readonly source: string
}

interface Vector {
  readonly id: string
  readonly words: readonly string[]
  readonly fields: Readonly<Record<string, string>>
}

const cases: readonly (readonly [layout: Entry, outside: Outside])[] = [
  [secondStageEntry, secondWords as unknown as Outside],
  [firstStageEntry, firstWords as unknown as Outside],
  [amdV1Entry, amdWords as unknown as Outside],
  [armStage1Entry, stage1Words as unknown as Outside],
  [armStage2Entry, stage2Words as unknown as Outside],
]

describe.each(cases)('$name against outside masks', (layout, outside) => {
  const vectors = outside.vectors.map((vector) => [vector.id, vector] as const)
  test.each(vectors)('%s decodes to the same values', (_id, vector) => {
    const values = decode(layout, vector.words.map(BigInt))
    for (const [name, expected] of Object.entries(vector.fields)) {
      const mask = BigInt(outside.fields[name]?.valueMask ?? 0)
      expect(BigInt(values[name] as number | bigint) & mask, name).toBe(BigInt(expected))
    }
  })

  test('fields lie where outside has them, and say who confirms that', () => {
    for (const [name, { bits, source }] of Object.entries(outside.fields)) {
      expect(layout.fields[name]?.runs, name).toEqual(bits)
      const confirmedBy = source === 'both' ? ['linux', 'qemu'] : [source]
      expect(layout.fields[name]?.confirmedBy ?? layout.confirmedBy, name).toEqual(confirmedBy)
    }
  })

  test('a field that nothing outside has is marked unconfirmed', () => {
    const others = Object.entries(layout.fields).filter(([name]) => !(name in outside.fields))
    expect(others.length).toBeGreaterThan(0)
    for (const [name, { confirmedBy }] of others) expect(confirmedBy, name).toEqual([])
  })

  test('what is reserved depends on the hardware, so the layout itself reserves nothing but 58:52 of AMD', () => {
    expect(reservedMask(layout)).toEqual([layout === amdV1Entry ? 0x07f0_0000_0000_0000n : 0n])
  })
})

const leafWord = (format: Format, level: number, access: number): bigint => {
  const shift = format.shift[level] ?? 0
  return addresses.join(
    (format.accessLow[access] ?? 0) | (format.sizeLow[shift] ?? 0),
    (format.accessHigh[access] ?? 0) | (format.sizeHigh[shift] ?? 0),
  )
}

describe('attribute words as Linux 7.3.4 writes them', () => {
  const ss = secondStage({ levels: 4, leafShifts: [12, 21, 30], addressBits: 46, snoopControl: true })
  const fs = firstStage({ levels: 4, leafShifts: [12, 21, 30], addressBits: 46, noExecute: true })

  test.each([
    ['second stage: read', ss, 1, 1, 0x001n],
    ['second stage: write only', ss, 1, 2, 0x002n],
    ['second stage: read and write', ss, 1, 3, 0x003n],
    ['second stage: 2 MiB', ss, 2, 3, 0x083n],
    ['second stage: no-execute cannot be said', ss, 1, 7, 0x003n],
    ['first stage: read', fs, 1, 1, 0x025n],
    ['first stage: write implies read', fs, 1, 2, 0x067n],
    ['first stage: read and write', fs, 1, 3, 0x067n],
    ['first stage: 2 MiB', fs, 2, 3, 0x0e7n],
    ['first stage: 2 MiB read', fs, 2, 1, 0x0a5n],
    ['first stage: no-execute', fs, 1, 7, 0x8000_0000_0000_0067n],
  ])('%s', (_what, format, level, access, word) => {
    expect(leafWord(format, level, access)).toBe(word)
  })

  test('table entries, and the note that they are written back', () => {
    expect(ss.tableLow[2]).toBe(0x003)
    expect((ss.tableLow[2] ?? 0) | ss.writtenBackLow).toBe(0x403)
    expect(fs.tableLow[2]).toBe(0x027)
    expect((fs.tableLow[2] ?? 0) | fs.writtenBackLow).toBe(0x227)
  })

  test('no-execute is not written where XD is not used', () => {
    const without = firstStage({ levels: 4, leafShifts: [12], addressBits: 46, noExecute: false })
    expect(leafWord(without, 1, 7)).toBe(0x067n)
  })
})

describe('reserved bits by level, as QEMU checks them', () => {
  const at = (low: Lane, high: Lane, level: number): bigint => addresses.join(low[level] ?? 0, high[level] ?? 0)
  const beyond39 = 0x000f_ff80_0000_0000n
  const table = (format: Format, level: number): bigint =>
    at(walkingOf(format).tableReservedLow, walkingOf(format).tableReservedHigh, level)
  const leaf = (format: Format, level: number): bigint =>
    at(walkingOf(format).leafReservedLow, walkingOf(format).leafReservedHigh, level)

  test('second stage without snoop control', () => {
    const format = secondStage({ levels: 5, leafShifts: [12, 21, 30], addressBits: 39, snoopControl: false })
    expect(leaf(format, 1)).toBe(beyond39 | 0x800n)
    expect(leaf(format, 2)).toBe(beyond39 | 0x1f_f800n)
    expect(leaf(format, 3)).toBe(beyond39 | 0x3fff_f800n)
    expect([2, 3].map((level) => table(format, level))).toEqual([beyond39 | 0x800n, beyond39 | 0x800n])
    expect([4, 5].map((level) => table(format, level))).toEqual([beyond39 | 0x880n, beyond39 | 0x880n])
  })

  test('second stage with snoop control: SNP is reserved in tables only', () => {
    const format = secondStage({ levels: 4, leafShifts: [12, 21, 30], addressBits: 39, snoopControl: true })
    expect(leaf(format, 1)).toBe(beyond39)
    expect(leaf(format, 2)).toBe(beyond39 | 0x1f_f000n)
    expect(leaf(format, 3)).toBe(beyond39 | 0x3fff_f000n)
    expect(table(format, 2)).toBe(beyond39 | 0x800n)
  })

  test('first stage: bit 12 of a large leaf is PAT', () => {
    const format = firstStage({ levels: 4, leafShifts: [12, 21, 30], addressBits: 39, noExecute: true })
    expect(leaf(format, 1)).toBe(beyond39)
    expect(leaf(format, 2)).toBe(beyond39 | 0x1f_e000n)
    expect(leaf(format, 3)).toBe(beyond39 | 0x3fff_e000n)
    expect([2, 3, 4].map((level) => table(format, level))).toEqual([beyond39, beyond39, beyond39 | 0x80n])
  })

  test('a leaf size that the hardware lacks makes PS reserved at its level', () => {
    const format = secondStage({ levels: 4, leafShifts: [12, 21], addressBits: 39, snoopControl: true })
    expect(table(format, 2) & 0x80n).toBe(0n)
    expect(table(format, 3) & 0x80n).toBe(0x80n)
  })
})

describe('a format is numbers', () => {
  const plain = { levels: 4, leafShifts: [12], addressBits: 39, snoopControl: false } as const

  test('frozen, and its lists are int32 lanes', () => {
    const format = secondStage({ levels: 3, leafShifts: [12], addressBits: 39, snoopControl: false })
    expect(Object.isFrozen(format)).toBe(true)
    const { parts, kept, name, ...numbers } = format
    expect([parts.layout.name, walkingOf(format)]).toEqual([name, kept.walking])
    for (const [each, value] of Object.entries({ ...numbers, ...walkingOf(format) })) {
      if (value instanceof Int32Array) continue
      for (const number of typeof value === 'object' ? Object.values(value) : [value]) expect(number, each).toBe((number as number) | 0)
    }
  })

  test.each([...shapes, ...amdShapes, ...armShapes].map((format) => [shapeName(format), format] as const))('%s has the one shape', (_name, format) => {
    const names = Object.keys(secondStage({ levels: 3, leafShifts: [12], addressBits: 39, snoopControl: false }))
    expect(Object.keys(format)).toEqual(names)
  })

  test.each([
    ['levels', () => secondStage({ ...plain, levels: 2 as 3 }), /2 levels/],
    ['levels', () => firstStage({ levels: 3 as 4, leafShifts: [12], addressBits: 39, noExecute: false }), /3 levels/],
    ['no 4 KiB leaf', () => secondStage({ ...plain, leafShifts: [21] }), /2\^12 must be/],
    ['leaf size', () => secondStage({ ...plain, leafShifts: [12, 16 as 21] }), /2\^16/],
    ['width', () => secondStage({ ...plain, addressBits: 53 }), /53 bits/],
    ['levels', () => amdV1({ levels: 7, addressBits: 48 }), /7 levels/],
    ['leaf size', () => amdV1({ levels: 2, leafShifts: [12, 30], addressBits: 48 }), /2\^30/],
    ['granule', () => armStage1({ granuleShift: 14, inputBits: 14, addressBits: 48 }), /14 bits/],
    ['wide output with small granules', () => armStage2({ granuleShift: 12, inputBits: 40, addressBits: 52 }), /64 KiB/],
    ['too few levels', () => armStage2({ granuleShift: 12, inputBits: 48, addressBits: 48, levels: 3 }), /3 levels/],
    ['concatenation in stage 1', () => armStage1({ granuleShift: 12, inputBits: 40, addressBits: 48, levels: 3 }), /3 levels/],
  ])('%s that the format has not is refused', (_what, make, message) => {
    expect(make).toThrow(RangeError)
    expect(make).toThrow(message)
  })
})
