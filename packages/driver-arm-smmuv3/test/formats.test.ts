// Which formats an SMMU has, in which order, and why a domain or a process does not fit it.
import { describe, expect, test } from 'vitest'
import { choosePagingFormat, formatNames, incompatibility, pasidFormatNames } from '../src/domains/formats.js'
import { svaObstacle } from '../src/domains/sva.js'
import type { Unit } from '../src/unit.js'

const CAPABILITIES = {
  stage1: true, stage2: true, granules: [12, 14, 16], outputBits: 44, coherent: true, breakBeforeMakeLevel: 1, substreamBits: 16,
}
const unitOf = (capabilities: Partial<typeof CAPABILITIES> = {}): Unit => ({ capabilities: { ...CAPABILITIES, ...capabilities } }) as unknown as Unit

describe('formats', () => {
  test('stage 1 before stage 2, small pages before large ones', () => {
    expect(formatNames(unitOf())).toEqual(['stage-1-4k', 'stage-1-16k', 'stage-1-64k', 'stage-2-4k', 'stage-2-16k', 'stage-2-64k'])
    expect(formatNames(unitOf({ stage1: false, granules: [16] }))).toEqual(['stage-2-64k'])
    expect(formatNames(unitOf({ stage2: false, granules: [12] }))).toEqual(['stage-1-4k'])
  })
  test('contexts have stage 1 alone', () => {
    expect(pasidFormatNames(unitOf({ granules: [12, 16] }))).toEqual(['stage-1-4k', 'stage-1-64k'])
    expect(pasidFormatNames(unitOf({ stage1: false }))).toEqual([])
  })
  test('the first is taken, or the one that is named', () => {
    const unit = unitOf()
    expect(choosePagingFormat(unit, undefined)).toMatchObject({ name: 'stage-1-4k', stage: 1, granule: 12, unit })
    expect(choosePagingFormat(unit, 'stage-2-16k')).toMatchObject({ name: 'stage-2-16k', stage: 2, granule: 14 })
  })
  test('stage 1 takes addresses of 48 bits, stage 2 as many as it puts out, of which 48 are the most', () => {
    const bits = (name: string, outputBits: number): number => choosePagingFormat(unitOf({ outputBits }), name).format.inputBits
    expect([bits('stage-1-4k', 40), bits('stage-2-4k', 40), bits('stage-2-4k', 52)]).toEqual([48, 40, 48])
  })
  test('what there is not is EOPNOTSUPP, and what there is is said', () => {
    expect(() => choosePagingFormat(unitOf({ granules: [12] }), 'stage-1-64k'))
      .toThrow('EOPNOTSUPP: the SMMU has no format stage-1-64k; it has stage-1-4k, stage-2-4k')
    expect(() => choosePagingFormat(unitOf({ stage1: false, stage2: false }), undefined))
      .toThrow('EOPNOTSUPP: the SMMU has no format at all; it has none')
  })
})

describe('a domain does not fit an SMMU', () => {
  const made = unitOf()
  const why = (name: string, unit: Unit, of = made): string | undefined => incompatibility(choosePagingFormat(of, name), unit)
  test('that has not its stage or its granule', () => {
    expect(why('stage-2-4k', unitOf({ stage2: false }))).toBe('the SMMU has no stage-2-4k')
    expect(why('stage-1-4k', unitOf({ granules: [16] }))).toBe('the SMMU has no stage-1-4k')
  })
  test('that has narrower addresses; beyond 48 bits none is narrower', () => {
    expect(why('stage-1-4k', unitOf({ outputBits: 40 }))).toBe('the SMMU has narrower addresses')
    expect([44, 48].map((outputBits) => why('stage-1-4k', unitOf({ outputBits })))).toEqual([undefined, undefined])
    expect(why('stage-1-4k', unitOf({ outputBits: 48 }), unitOf({ outputBits: 52 }))).toBeUndefined()
  })
  test('that does not snoop where nothing is written back', () => {
    expect(why('stage-1-4k', unitOf({ coherent: false }))).toBe('the SMMU does not snoop, and the domain does not write back')
    expect(why('stage-1-4k', made, unitOf({ coherent: false }))).toBeUndefined()
  })
  test('that needs break-before-make where it is not done', () => {
    expect(why('stage-1-4k', unitOf({ breakBeforeMakeLevel: 0 }))).toBe('the SMMU needs break-before-make, and the domain does not do it')
    expect([1, 2].map((breakBeforeMakeLevel) => why('stage-1-4k', unitOf({ breakBeforeMakeLevel })))).toEqual([undefined, undefined])
  })
  test('and always fits its own', () => expect(formatNames(made).map((name) => why(name, made))).toEqual(formatNames(made).map(() => undefined)))
})

describe('a process\'s tables', () => {
  const space = { levels: 4, pageShift: 12 } as const
  test.each([
    [undefined, unitOf(), space],
    [undefined, unitOf(), { levels: 2, pageShift: 12 }],
    ['the SMMU has no stage 1 with SSIDs', unitOf({ stage1: false }), space],
    ['the SMMU has no stage 1 with SSIDs', unitOf({ substreamBits: 0 }), space],
    ['the SMMU has no granule of 2^13 bytes', unitOf(), { levels: 4, pageShift: 13 }],
    ['the SMMU has no granule of 2^12 bytes', unitOf({ granules: [14, 16] }), space],
    ['the address space is too small for the SMMU', unitOf(), { levels: 1, pageShift: 12 }],
    ['the SMMU does not snoop', unitOf({ coherent: false }), space],
  ])('%s', (why, unit, shape) => expect(svaObstacle(unit, shape)).toBe(why))
  test('25 bits are enough, as the 16 KiB granule has them with one level', () => {
    expect(svaObstacle(unitOf(), { levels: 1, pageShift: 14 })).toBeUndefined()
  })
})
