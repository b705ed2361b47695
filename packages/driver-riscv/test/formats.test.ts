// Which formats a unit has, in which order, and why a domain or a process does not fit it.
import { describe, expect, test } from 'vitest'
import { choosePagingFormat, formatNames, incompatibility } from '../src/domains/formats.js'
import { svaObstacle } from '../src/domains/sva.js'
import type { Unit } from '../src/unit.js'

const CAPABILITIES = { firstStageLevels: [3, 4, 5], secondStageLevels: [3, 4, 5], physicalBits: 46 }
const unitOf = (capabilities: Partial<typeof CAPABILITIES> = {}, pasids = false): Unit =>
  ({ capabilities: { ...CAPABILITIES, ...capabilities }, pasids }) as unknown as Unit

describe('formats', () => {
  test('first stage before second, 4 levels before others, and of those the deeper one', () => {
    expect(formatNames(unitOf())).toEqual(['sv48', 'sv57', 'sv39', 'sv48x4', 'sv57x4', 'sv39x4'])
    expect(formatNames(unitOf({ firstStageLevels: [5, 3], secondStageLevels: [] }))).toEqual(['sv57', 'sv39'])
  })
  test('with PASIDs the first stage alone', () => expect(formatNames(unitOf({}, true))).toEqual(['sv48', 'sv57', 'sv39']))
  test('the first is taken, or the one that is named', () => {
    const unit = unitOf()
    expect(choosePagingFormat(unit, undefined)).toMatchObject({ name: 'sv48', secondStage: false, levels: 4, unit })
    expect(choosePagingFormat(unit, 'sv39x4')).toMatchObject({ name: 'sv39x4', secondStage: true, levels: 3 })
  })
  test('their tables are those that the unit walks: a second stage takes two bits more', () => {
    const bits = ['sv39', 'sv39x4', 'sv57'].map((name) => choosePagingFormat(unitOf(), name).format.inputBits)
    expect(bits).toEqual([39, 41, 57])
  })
  test('what there is not is EOPNOTSUPP, and what there is is said', () => {
    expect(() => choosePagingFormat(unitOf({ firstStageLevels: [3, 4] }, true), 'sv57')).toThrow('EOPNOTSUPP: the unit has no format sv57; it has sv48, sv39')
    expect(() => choosePagingFormat(unitOf({ firstStageLevels: [] }, true), undefined)).toThrow('EOPNOTSUPP: the unit has no format at all; it has none')
  })
})

describe('a domain does not fit a unit', () => {
  const made = unitOf()
  const why = (name: string, unit: Unit): string | undefined => incompatibility(choosePagingFormat(made, name), unit)
  test('that has not its levels, of the stage that it is about', () => {
    expect(why('sv57', unitOf({ firstStageLevels: [3, 4] }))).toBe('the unit has no sv57')
    expect(why('sv57x4', unitOf({ firstStageLevels: [3, 4] }))).toBeUndefined()
    expect(why('sv57x4', unitOf({ secondStageLevels: [3, 4] }))).toBe('the unit has no sv57x4')
  })
  test('that has narrower addresses', () => {
    expect(why('sv48', unitOf({ physicalBits: 45 }))).toBe('the unit has narrower physical addresses')
    expect([46, 56].map((physicalBits) => why('sv48', unitOf({ physicalBits })))).toEqual([undefined, undefined])
  })
  test('and always fits its own', () => expect(formatNames(made).map((name) => why(name, made))).toEqual(formatNames(made).map(() => undefined)))
})

describe('a process\'s tables', () => {
  const space = { levels: 4, pageShift: 12 } as const
  test.each([
    [undefined, unitOf({}, true), space],
    ['the unit has no first stage on PASIDs', unitOf(), space],
    ['the unit has no 5-level first stage', unitOf({ firstStageLevels: [3, 4] }, true), { ...space, levels: 5 }],
    ['the unit\'s first stage has 4 KiB pages', unitOf({}, true), { ...space, pageShift: 14 }],
  ])('%s', (why, unit, shape) => expect(svaObstacle(unit, shape)).toBe(why))
})
