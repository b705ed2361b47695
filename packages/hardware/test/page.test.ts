// What models say of frames and pages, held against the same said in bigints.
import { describe, expect, test } from 'vitest'
import { addressIn, fitsIn, frameIn, frameOf, framesAround, isCanonical, isInterruptRange, passes, permissionsOf, sizeOfPage, translatedTo } from '../src/index.js'

const ADDRESSES = [0n, 0xfffn, 0x1000n, 0xfedf_ffffn, 0xfee0_0000n, 0xfeef_ffffn, 0xfef0_0000n, 0x1_fee0_0000n, 0x7fff_ffff_f000n, 0x8000_0000_0000n,
  0xffff_7fff_ffff_f000n, 0xffff_8000_0000_0000n, 0xffff_ffff_ffff_ffffn, ...Array.from({ length: 64 }, (_, bit) => 1n << BigInt(bit))]
const WIDTHS = [30, 32, 39, 41, 46, 48, 50, 57, 59, 64]

describe('frames', () => {
  test.each(WIDTHS)('%i bits', (bits) => {
    for (const address of ADDRESSES) {
      const top = BigInt.asIntN(64, address) >> BigInt(bits - 1)
      expect([address, fitsIn(frameOf(address), bits)]).toEqual([address, address >> BigInt(bits) === 0n])
      expect([address, isCanonical(frameOf(address), bits)]).toEqual([address, top === 0n || top === -1n])
    }
  })

  test.each([12, 13, 21, 39, 63, 64])('around one, 2^%i bytes', (bits) => {
    for (const address of ADDRESSES) {
      const { first, last } = framesAround(frameOf(address), bits)
      const start = (address >> BigInt(bits)) << BigInt(bits)
      expect([address, first, last]).toEqual([address, frameOf(start), frameOf(start + (1n << BigInt(bits)) - 1n)])
    }
  })

  test('the range of interrupts', () => {
    for (const address of ADDRESSES) expect([address, isInterruptRange(frameOf(address))]).toEqual([address, (address & ~0xf_ffffn) === 0xfee0_0000n])
  })
})

describe('pages', () => {
  test.each([12, 13, 16, 21, 25, 30, 31, 32, 33, 39, 48])('2^%i bytes', (pageShift) => {
    const size = 1n << BigInt(pageShift)
    for (const page of [0n, size, 0xffff_ffff_ffff_ffffn & ~(size - 1n)]) {
      for (const address of ADDRESSES) {
        const found = translatedTo(frameIn(frameOf(page), pageShift, frameOf(address)), pageShift, address, permissionsOf(true, false), 'domain 1', {})
        expect(found).toEqual({
          result: 'translated', address: page + (address & (size - 1n)), tag: 'domain 1', attributes: {}, permissions: { read: true, write: false }, pageSize: size,
        })
      }
    }
  })

  test('permissions and sizes', () => {
    const all = [[false, false], [true, false], [false, true], [true, true]] as const
    for (const [read, write] of all) expect(permissionsOf(read, write)).toEqual({ read, write })
    expect(sizeOfPage(12)).toBe(4096n)
    expect(addressIn(0x12345, 0xabc_def8n)).toBe(0x1234_5ef8n)
    const passed = { address: 0xffff_ffff_ffff_f123n, permissions: { read: true, write: true }, pageSize: 4096n }
    expect(passes(0xffff_ffff_ffff_f123n, 'off', {})).toMatchObject(passed)
  })
})
