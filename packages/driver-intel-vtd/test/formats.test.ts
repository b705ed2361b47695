// Which formats a unit has, in which order, and why a domain or a process does not fit it.
import { describe, expect, test } from 'vitest'
import { spellFormat } from '../../../tools/driver-tests/spell.js'
import { choosePagingFormat, formatNames, incompatibility } from '../src/domains/formats.js'
import { hasIdentity } from '../src/domains/identity.js'
import { svaObstacle } from '../src/domains/sva.js'
import type { Unit } from '../src/unit.js'

const CAPABILITIES = {
  firstStage: true, secondStage: true, firstStageLevels: [4, 5], secondStageLevels: [3, 4, 5],
  firstStageLeaves: [12, 21, 30], secondStageLeaves: [12, 21, 30], guestAddressBits: 57, snoopControl: true,
  passThrough: false, pasidBits: 20, scalableWalkCoherent: true,
}
const unitOf = (capabilities: Partial<typeof CAPABILITIES> = {}, more: Partial<Unit> = {}): Unit =>
  ({ capabilities: { ...CAPABILITIES, ...capabilities }, scalable: true, hostAddressBits: 46, pagesCoherent: true, ...more }) as unknown as Unit

describe('formats', () => {
  test('first stage before second, 4 levels before others, and of those the deeper one', () => {
    expect(formatNames(unitOf())).toEqual(['first-stage-4', 'first-stage-5', 'second-stage-4', 'second-stage-5', 'second-stage-3'])
    expect(formatNames(unitOf({ firstStageLevels: [5, 4] }))).toEqual(formatNames(unitOf()))
  })
  test('stages that there are; in legacy mode the second alone, whatever is said of stages', () => {
    expect(formatNames(unitOf({ secondStage: false }))).toEqual(['first-stage-4', 'first-stage-5'])
    expect(formatNames(unitOf({ firstStage: false, secondStageLevels: [3] }))).toEqual(['second-stage-3'])
    expect(formatNames(unitOf({ secondStage: false }, { scalable: false }))).toEqual(['second-stage-4', 'second-stage-5', 'second-stage-3'])
  })
  test('the first is taken, or the one that is named', () => {
    const unit = unitOf()
    expect(choosePagingFormat(unit, undefined)).toMatchObject({ name: 'first-stage-4', stage: 'first', levels: 4, pageSizes: 0x4020_1000n, unit })
    expect(choosePagingFormat(unit, 'second-stage-3')).toMatchObject({ name: 'second-stage-3', stage: 'second', levels: 3 })
    expect(choosePagingFormat(unitOf({ secondStageLeaves: [12] }), 'second-stage-4').pageSizes).toBe(0x1000n)
    expect(choosePagingFormat(unitOf({ firstStageLeaves: [12, 21] }), 'first-stage-4').pageSizes).toBe(0x20_1000n)
  })
  test('their tables are those that the unit walks', () => {
    const tables = (name: string, capabilities: Partial<typeof CAPABILITIES> = {}): string =>
      spellFormat(choosePagingFormat(unitOf(capabilities), name).format)
    expect(choosePagingFormat(unitOf(), 'first-stage-5').format).toMatchObject({ levels: 5 })
    expect(choosePagingFormat(unitOf(), 'second-stage-3').format).toMatchObject({ levels: 3 })
    expect(tables('second-stage-4', { snoopControl: false })).not.toBe(tables('second-stage-4'))
    expect(tables('first-stage-4', { snoopControl: false })).toBe(tables('first-stage-4'))
  })
  test('what there is not is EOPNOTSUPP, and what there is is said', () => {
    expect(() => choosePagingFormat(unitOf({ secondStage: false }), 'second-stage-4'))
      .toThrow('EOPNOTSUPP: the unit has no format second-stage-4; it has first-stage-4, first-stage-5')
    expect(() => choosePagingFormat(unitOf({ firstStage: false, secondStage: false }), undefined))
      .toThrow('EOPNOTSUPP: the unit has no format at all; it has none')
  })
})

describe('a domain does not fit a unit', () => {
  const made = unitOf()
  const why = (name: string, unit: Unit, of = made): string | undefined => incompatibility(choosePagingFormat(of, name), unit)
  test('that has not its format', () => {
    expect(why('second-stage-4', unitOf({ secondStage: false }))).toBe('the unit has no second-stage-4')
    expect(why('second-stage-5', unitOf({ secondStageLevels: [3, 4] }))).toBe('the unit has no second-stage-5')
    expect(why('first-stage-4', unitOf({}, { scalable: false }))).toBe('the unit has no first-stage-4')
  })
  test('that lacks a page size, of the stage that it is about', () => {
    expect(why('second-stage-4', unitOf({ secondStageLeaves: [12, 21] }))).toBe('the unit lacks a page size of the domain')
    expect(why('second-stage-4', unitOf({ firstStageLeaves: [12, 21] }))).toBeUndefined()
    expect(why('first-stage-4', unitOf({ firstStageLeaves: [12, 21] }))).toBe('the unit lacks a page size of the domain')
    expect(why('second-stage-4', made, unitOf({ secondStageLeaves: [12] }))).toBeUndefined()
  })
  test('that has narrower addresses, of memory or of devices', () => {
    expect(why('first-stage-4', unitOf({}, { hostAddressBits: 45 }))).toBe('the unit has narrower physical addresses')
    expect([46, 52].map((hostAddressBits) => why('first-stage-4', unitOf({}, { hostAddressBits })))).toEqual([undefined, undefined])
    expect(why('second-stage-4', unitOf({ guestAddressBits: 47 }))).toBe('the unit has narrower device addresses')
    // 4 levels translate 48 bits: more are not needed.
    expect(why('second-stage-4', unitOf({ guestAddressBits: 48 }))).toBeUndefined()
    expect(why('second-stage-5', unitOf({ guestAddressBits: 48 }))).toBe('the unit has narrower device addresses')
    expect(why('first-stage-4', unitOf({ guestAddressBits: 39 }))).toBeUndefined()
    expect(why('second-stage-4', unitOf({ guestAddressBits: 39 }), unitOf({ guestAddressBits: 39 }))).toBeUndefined()
  })
  test('that does not snoop where nothing is written back', () => {
    expect(why('first-stage-4', unitOf({}, { pagesCoherent: false }))).toBe('the unit does not snoop, and the domain does not write back')
    expect(why('first-stage-4', made, unitOf({}, { pagesCoherent: false }))).toBeUndefined()
  })
  test('that treats the snoop bit otherwise, where there is one', () => {
    expect(why('second-stage-4', unitOf({ snoopControl: false }))).toBe('the unit treats the snoop bit differently')
    expect(why('second-stage-4', made, unitOf({ snoopControl: false }))).toBe('the unit treats the snoop bit differently')
    expect(why('first-stage-4', unitOf({ snoopControl: false }))).toBeUndefined()
  })
  test('and always fits its own', () => expect(formatNames(made).map((name) => why(name, made))).toEqual(formatNames(made).map(() => undefined)))
})

describe('identity', () => {
  test('is passing through, or as many of the largest pages as fit a million entries', () => {
    expect(hasIdentity(unitOf({ passThrough: true, firstStageLeaves: [12] }))).toBe(true)
    // 2^46 bytes are 2^16 GiB, 2^25 times 2 MiB.
    expect(hasIdentity(unitOf())).toBe(true)
    expect(hasIdentity(unitOf({ firstStageLeaves: [12, 21] }))).toBe(false)
    expect(hasIdentity(unitOf({ firstStageLeaves: [12, 21] }, { hostAddressBits: 41 }))).toBe(true)
    expect(hasIdentity(unitOf({ firstStageLeaves: [12, 21] }, { hostAddressBits: 42 }))).toBe(false)
  })
  test('is no longer than the tables are wide', () => {
    expect(hasIdentity(unitOf({ firstStage: false, secondStageLevels: [3], secondStageLeaves: [12, 21] }))).toBe(true)
    expect(hasIdentity(unitOf({ firstStage: false, secondStageLevels: [3], secondStageLeaves: [12] }))).toBe(false)
  })
})

describe('a process\'s tables', () => {
  const space = { levels: 4, pageShift: 12 } as const
  test.each([
    [undefined, unitOf(), space],
    [undefined, unitOf(), { ...space, levels: 5 }],
    ['the unit has no first stage on PASIDs', unitOf({ firstStage: false }), space],
    ['the unit has no first stage on PASIDs', unitOf({ pasidBits: 0 }), space],
    ['the unit has no 5-level first stage', unitOf({ firstStageLevels: [4] }), { ...space, levels: 5 }],
    ['the unit\'s first stage has 4 KiB pages', unitOf(), { ...space, pageShift: 14 }],
    ['the unit\'s page walks do not snoop', unitOf({ scalableWalkCoherent: false }), space],
  ])('%s', (why, unit, shape) => expect(svaObstacle(unit, shape)).toBe(why))
})
