// Which formats a unit has, in which order, and why a domain or a process does not fit it.
import { describe, expect, test } from 'vitest'
import { spellFormat } from '../../../tools/driver-tests/spell.js'
import { choosePagingFormat, formatNames, incompatibility, pasidFormatNames } from '../src/domains/formats.js'
import { svaObstacle } from '../src/domains/sva.js'
import type { Unit } from '../src/unit.js'

const CAPABILITIES = { hostLevels: 6, guestLevels: [4, 5], guestIo: true, pasidBits: 16, noExecute: true, notPresentCache: false }
const unitOf = (capabilities: Partial<typeof CAPABILITIES> = {}, more: Partial<Unit> = {}): Unit =>
  ({ capabilities: { ...CAPABILITIES, ...capabilities }, hostAddressBits: 48, pasidLevels: 4, hostLeaves: undefined, ...more }) as unknown as Unit

describe('formats', () => {
  test('guest tables first, those of PASIDs before others, then host tables', () => {
    expect(formatNames(unitOf())).toEqual(['v2-4', 'v2-5', 'v1'])
    expect(formatNames(unitOf({}, { pasidLevels: 5 }))).toEqual(['v2-5', 'v2-4', 'v1'])
  })
  test('requester ids have guest tables only with GIoV, and host tables only where there are levels', () => {
    expect(formatNames(unitOf({ guestIo: false }))).toEqual(['v1'])
    expect(formatNames(unitOf({ hostLevels: 0 }))).toEqual(['v2-4', 'v2-5'])
  })
  test('PASIDs have one depth', () => {
    expect(pasidFormatNames(unitOf())).toEqual(['v2-4'])
    expect(pasidFormatNames(unitOf({ pasidBits: 0 }))).toEqual([])
    expect(pasidFormatNames(unitOf({ guestLevels: [4] }, { pasidLevels: 5 }))).toEqual([])
  })
  test('the first is taken, or the one that is named', () => {
    const unit = unitOf()
    expect(choosePagingFormat(unit, undefined, false)).toMatchObject({ name: 'v2-4', kind: 'guest', levels: 4, unit })
    expect(choosePagingFormat(unit, 'v1', false)).toMatchObject({ name: 'v1', kind: 'host', levels: 6 })
    expect(choosePagingFormat(unit, 'v2-5', false)).toMatchObject({ name: 'v2-5', kind: 'guest', levels: 5 })
    expect(choosePagingFormat(unitOf({ guestIo: false }), 'v2-4', true)).toMatchObject({ name: 'v2-4' })
    expect(choosePagingFormat(unitOf({}, { pasidLevels: 5 }), undefined, true)).toMatchObject({ name: 'v2-5' })
  })
  test('their tables are those that the unit walks', () => {
    expect(choosePagingFormat(unitOf(), 'v2-5', false).format).toMatchObject({ levels: 5 })
    expect(choosePagingFormat(unitOf(), 'v2-4', false).format).toMatchObject({ levels: 4 })
    const leavesOf = (unit: Unit): string => spellFormat(choosePagingFormat(unit, 'v1', false).format)
    expect(leavesOf(unitOf({}, { hostLeaves: [12] }))).not.toBe(leavesOf(unitOf()))
    const noExecuteOf = (noExecute: boolean): string => spellFormat(choosePagingFormat(unitOf({ noExecute }), 'v2-4', false).format)
    expect(noExecuteOf(true)).not.toBe(noExecuteOf(false))
  })
  test('what there is not is EOPNOTSUPP, and what there is is said', () => {
    expect(() => choosePagingFormat(unitOf(), 'v3', false)).toThrow('EOPNOTSUPP: the unit has no format v3; it has v2-4, v2-5, v1')
    expect(() => choosePagingFormat(unitOf(), 'v1', true)).toThrow('EOPNOTSUPP: the unit has no format v1 for PASIDs; it has v2-4')
    expect(() => choosePagingFormat(unitOf({ hostLevels: 0, guestIo: false }), undefined, false))
      .toThrow('EOPNOTSUPP: the unit has no format at all; it has none')
  })
})

describe('a domain does not fit a unit', () => {
  const made = unitOf()
  const why = (name: string, unit: Unit, pasid = 0, of = made): string | undefined =>
    incompatibility(choosePagingFormat(of, name, false), unit, pasid)
  test('that has not its format, on requester ids or on PASIDs', () => {
    expect(why('v2-4', unitOf({ guestIo: false }))).toBe('the unit has no v2-4 for requester ids')
    expect(why('v2-4', unitOf({ guestIo: false }), 7)).toBeUndefined()
    expect(why('v1', made, 7)).toBe('the unit has no v1 for PASIDs')
    expect(why('v2-5', made, 7)).toBe('the unit has no v2-5 for PASIDs')
  })
  test('that has fewer levels of host tables', () => {
    expect(why('v1', unitOf({ hostLevels: 5 }))).toBe('the unit has host tables of fewer levels')
    expect(why('v1', unitOf({ hostLevels: 6 }))).toBeUndefined()
    expect(why('v2-4', unitOf({ hostLevels: 3 }))).toBeUndefined()
  })
  test('that has narrower addresses', () => {
    expect(why('v1', unitOf({}, { hostAddressBits: 47 }))).toBe('the unit has narrower physical addresses')
    expect([48, 52].map((hostAddressBits) => why('v1', unitOf({}, { hostAddressBits })))).toEqual([undefined, undefined])
  })
  test('that has no no-execute bit, where guest tables may have it', () => {
    expect(why('v2-4', unitOf({ noExecute: false }))).toBe('the unit has no no-execute bit')
    expect(why('v1', unitOf({ noExecute: false }))).toBeUndefined()
    expect(why('v2-4', made, 0, unitOf({ noExecute: false }))).toBeUndefined()
  })
  test('and always fits its own', () => expect(['v1', 'v2-4', 'v2-5'].map((name) => why(name, made))).toEqual([undefined, undefined, undefined]))
})

describe('a process\'s tables', () => {
  const space = { levels: 4, pageShift: 12 } as const
  test.each([
    [undefined, unitOf(), space],
    ['the unit has no guest tables on PASIDs', unitOf({ pasidBits: 0 }), space],
    ['guest tables on PASIDs have 4 levels here', unitOf(), { ...space, levels: 5 }],
    ['the unit keeps absent entries until they are flushed', unitOf({ notPresentCache: true }), space],
    ['guest tables have 4 KiB pages', unitOf(), { ...space, pageShift: 14 }],
  ])('%s', (why, unit, shape) => expect(svaObstacle(unit, shape)).toBe(why))
})
