// Declaring: the proof that fields tile an entry.
import { describe, expect, test } from 'vitest'
import { address, bit, entry, field, split, wide } from '../src/index.js'

const options = { title: 'Sample', bits: 64, section: 'x:1', confirmedBy: [] } as const

describe('an entry is refused', () => {
  test('with a gap', () => {
    expect(() => entry('x.gap', options, { A: bit(0, 'a'), B: wide(63, 2, 'b') }))
      .toThrow('x.gap: bits 1 between field A and field B are not declared')
  })
  test('with an overlap', () => {
    expect(() => entry('x.over', { ...options, reserved: [[63, 4]] }, { A: field(4, 0, 'a') }))
      .toThrow('x.over: a reserved range (bits 63:4) overlaps field A')
  })
  test('with bits missing at its end', () => {
    expect(() => entry('x.short', options, { A: field(40, 0, 'a') })).toThrow('x.short: bits 63:41 after field A are not declared')
  })
  test('with a field beyond its end', () => {
    expect(() => entry('x.long', options, { A: wide(64, 0, 'a') })).toThrow('x.long: field A ends at bit 64, beyond the entry\'s 64 bits')
  })
  test('with a range that has no bits', () => {
    const none = [] as unknown as readonly [number, number]
    expect(() => entry('x.none', { ...options, reserved: [none] }, { A: wide(63, 0, 'a') })).toThrow('x.none: a reserved range has no bits (undefined:undefined)')
    expect(() => entry('x.none', { ...options, reserved: [[3, 4]] }, { A: wide(63, 0, 'a') })).toThrow('x.none: a reserved range has no bits (3:4)')
  })
  test('with a size that is no whole number of words', () => {
    expect(() => entry('x.odd', { ...options, bits: 65 }, {})).toThrow('x.odd: 65 bits are not whole 64-bit words up to 512 bits')
    expect(() => entry('x.big', { ...options, bits: 576 }, {})).toThrow(RangeError)
  })
})

describe('a field is refused', () => {
  test('with its low bit above its high one', () => expect(() => field(2, 4, 'f')).toThrow('field "f": bits 2:4 are not a range, high bit first'))
  test('as a number of more than 52 bits', () => expect(() => field(60, 0, 'f')).toThrow('61 bits do not fit a number'))
})

test('fields, reserved and ignored ranges tile an entry together, split fields with all their runs', () => {
  const sample = entry('x.all', { ...options, reserved: [[7, 4]], ignored: [[63, 60]] }, {
    Type: split([[11, 9], [3, 0]], 'type'), ADDR: address(59, 12, 'address'), L: bit(8, 'last'),
  })
  expect(Object.keys(sample.fields)).toEqual(['Type', 'ADDR', 'L'])
  expect(sample.fields.ADDR.scale).toBe(12)
  expect(sample.fields.Type.width).toBe(7)
  expect(Object.isFrozen(sample)).toBe(true)
})
