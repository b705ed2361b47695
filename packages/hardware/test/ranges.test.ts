// Ranges that invalidations name, and the words that say them.
import { describe, expect, test } from 'vitest'
import { aligned, coveringShift, createTranslationCache, forgetInDevice, sizedAddress, sizedRange, WHOLE_SPACE } from '../src/index.js'
import type { DeviceTlbs } from '../src/index.js'

const END = (1n << 64n) - 1n

test('the smallest aligned power of two around both ends', () => {
  expect([
    coveringShift(0x1000n, 0x1fffn), coveringShift(0x1000n, 0x2fffn), coveringShift(0x2000n, 0x3fffn), coveringShift(0x20_0000n, 0x3f_ffffn),
    coveringShift(0x7fff_ffff_f000n, 0x8000_0000_0fffn), coveringShift(0n, END),
  ]).toEqual([12, 14, 13, 21, 48, WHOLE_SPACE])
  expect([aligned(0x1_7abcn, 12), aligned(0x1_7abcn, 16), aligned(END, WHOLE_SPACE)]).toEqual([0x1_7000n, 0x1_0000n, 0n])
})

// The sizes of the table in PCIe's chapter on ATS: the lowest zero bit from bit 12 on, with S.
describe.each([
  ['4 KiB', 12, 0x1234_5000n, 0x1234_5000n, [0x1_2345, 0x1_2345]],
  ['8 KiB', 13, 0x1234_5000n, 0x1234_4000n, [0x1_2344, 0x1_2345]],
  ['16 KiB', 14, 0x1234_5000n, 0x1234_5000n, [0x1_2344, 0x1_2347]],
  ['2 MiB', 21, 0x4021_0000n, 0x402f_f000n, [0x4_0200, 0x4_03ff]],
  ['everything', WHOLE_SPACE, 0x1234_5000n, 0x7fff_ffff_ffff_f000n, [0, 2 ** 52 - 1]],
] as const)('%s', (_size, shift, address, said, frames) => {
  test('as it is said', () => expect(sizedAddress(address, shift)).toBe(said))
  test('as hardware takes it', () => expect(sizedRange(said, shift > 12)).toEqual(frames))
})
test('every bit from 12 on names everything too', () => expect(sizedRange(~0xfffn & END, true)).toEqual([0, 2 ** 52 - 1]))

test('a device forgets the range that is named, under its PASID or under all', () => {
  const page = { frame: 0, pageShift: 12, read: true, write: true, attributes: {} }
  const held = (pasid: number | 'all', source = 0x20): boolean[] => {
    const tlbs: DeviceTlbs = new Map([[0x20, createTranslationCache()]])
    for (const tag of [0, 5]) for (const frame of [1, 9]) tlbs.get(0x20)?.keep(tag, frame, 12, page)
    forgetInDevice(tlbs, { source, pasid, range: [0, 7] })
    return [0, 5].flatMap((tag) => [1, 9].map((frame) => tlbs.get(0x20)?.lookup(tag, frame) !== undefined))
  }
  expect([held(0), held(5), held('all'), held('all', 0x30)]).toEqual([
    [false, true, true, true], [true, true, false, true], [false, true, false, true], [true, true, true, true],
  ])
})
