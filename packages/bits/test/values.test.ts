// Decoding, encoding, masks, differences, bytes: by hand-made words, and by round trips.
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  address, bit, breaksReserved, decode, decodeField, diff, encode, entry, field, fromBytes, ignoredMask, reservedBits,
  reservedMask, split, splitAddress, toBytes, usedMask, wide,
} from '../src/index.js'

const sample = entry('x.sample', { title: 'Sample', bits: 128, section: 'x:1', confirmedBy: ['spec'], reserved: [[11, 10]], ignored: [[127, 120]] }, {
  P: bit(0, 'present'),
  Type: split([[9, 7], [3, 1]], 'type, high part first'),
  Mode: field(6, 4, 'mode', { 1: 'one' }),
  // Crosses the words at bit 64.
  Cross: field(71, 56, 'crosses'),
  ADDR: address(55, 12, 'address'),
  Split: splitAddress([[119, 112], [79, 72]], 'address in two runs', 12),
  Rest: wide(111, 80, 'rest'),
})

describe('decode', () => {
  test('takes each field from where it lies', () => {
    const values = decode(sample, [
      0xab00_0000_1234_5000n | 0x1n | (0b101n << 7n) | (0b011n << 1n) | (0b001n << 4n),
      0xcdn | (0x5an << 8n) | (0x77n << 48n),
    ])
    expect(values).toEqual({
      P: 1, Type: 0b101011, Mode: 1, Cross: 0xcdab, ADDR: 0x1234_5000n, Split: 0x775a000n, Rest: 0n,
    })
  })
  test('of one field is the same as of all', () => {
    fc.assert(fc.property(fc.bigInt(0n, (1n << 64n) - 1n), fc.bigInt(0n, (1n << 64n) - 1n), (low, high) => {
      const words = [low, high]
      const all = decode(sample, words)
      for (const name of Object.keys(sample.fields) as (keyof typeof all)[]) expect(decodeField(sample, words, name)).toBe(all[name])
    }))
  })
  test('refuses words that do not fit', () => {
    expect(() => decode(sample, [0n])).toThrow('x.sample has 2 words of 64 bits, found 1')
    expect(() => decode(sample, [0n, 1n << 64n])).toThrow('x.sample word 1: 0x10000000000000000 is not a 64-bit word')
    expect(() => decode(sample, [-1n, 0n])).toThrow(RangeError)
  })
})

describe('encode', () => {
  test('is the inverse of decode, over the bits of fields', () => {
    fc.assert(fc.property(fc.bigInt(0n, (1n << 64n) - 1n), fc.bigInt(0n, (1n << 64n) - 1n), (low, high) => {
      const used = usedMask(sample)
      const words = [low, high].map((word, index) => word & (used[index] as bigint))
      expect(encode(sample, decode(sample, words))).toEqual(words)
      expect(encode(sample, {}, [low, high])).toEqual([low, high])
    }))
  })
  test('leaves every other bit of its base', () => {
    expect(encode(sample, { P: 0 }, [0xffff_ffff_ffff_ffffn, 1n])).toEqual([0xffff_ffff_ffff_fffen, 1n])
  })
  test('refuses what does not fit, is not aligned, or is no field', () => {
    expect(() => encode(sample, { Mode: 8 })).toThrow('x.sample.Mode: 0x8 does not fit 3 bits')
    expect(() => encode(sample, { ADDR: 0x1001n })).toThrow('x.sample.ADDR: 0x1001 is not aligned to 0x1000')
    expect(() => encode(sample, { ADDR: 1n << 60n })).toThrow('x.sample.ADDR: 0x1000000000000000 does not fit 44 bits above bit 12')
    expect(() => encode(sample, { P: -1 })).toThrow(RangeError)
    expect(() => encode(sample, { toString: 1 } as object)).toThrow('x.sample has no field toString')
  })
})

test('masks name what is reserved, ignored and used', () => {
  expect(reservedMask(sample)).toEqual([0xc00n, 0n])
  expect(ignoredMask(sample)).toEqual([0n, 0xff00_0000_0000_0000n])
  expect(usedMask(sample, ['P', 'Cross'])).toEqual([0xff00_0000_0000_0001n, 0xffn])
  expect(reservedBits(sample, [0x401n, 0n])).toEqual([0x400n, 0n])
  expect([breaksReserved(sample, [0x400n, 0n]), breaksReserved(sample, [0x3ffn, 0n])]).toEqual([true, false])
})

test('diff names fields, then reserved and ignored ranges', () => {
  expect(diff(sample, [0n, 0n], [0x401n, 1n << 56n])).toEqual([
    { name: 'P', before: 0, after: 1 },
    { name: 'reserved 11:10', before: 0n, after: 1n },
    { name: 'ignored 127:120', before: 0n, after: 1n },
  ])
  expect(diff(sample, [5n, 5n], [5n, 5n])).toEqual([])
})

describe('bytes', () => {
  const fields = { V: field(31, 0, 'v') } as const
  const options = { title: 'w', section: 'x:2', confirmedBy: [] } as const
  const big = entry('x.big', { ...options, bits: 64, byteOrder: 'big' }, { V: wide(63, 0, 'v') })
  const small = entry('x.small', { ...options, bits: 32, wordBits: 32 }, fields)
  test('little-endian words, 64 and 32 bits', () => {
    expect([...toBytes(small, [0x01020304n])]).toEqual([4, 3, 2, 1])
    expect(fromBytes(small, new Uint8Array([0, 4, 3, 2, 1]), 1)).toEqual([0x01020304n])
  })
  test('big-endian words', () => {
    expect([...toBytes(big, [0x0102030405060708n])]).toEqual([1, 2, 3, 4, 5, 6, 7, 8])
    expect(fromBytes(big, toBytes(big, [0xfedcn]))).toEqual([0xfedcn])
  })
  test('too few of them', () => expect(() => fromBytes(big, new Uint8Array(7))).toThrow('x.big takes 8 bytes, found 7'))
})
