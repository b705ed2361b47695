// Page sizes and device addresses: the two pure choices under map and the DMA API.
import { describe, expect, test } from 'vitest'
import { allocateIova, createIovaSpace, freeIova, takenAt } from '../src/layer/iova.js'
import { choosePages, pageSizesOf, smallestPage } from '../src/layer/page-size.js'

const sizes = 0x4020_1000n

test('a bitmap’s sizes come largest first', () => {
  expect(pageSizesOf(sizes)).toEqual([0x4000_0000n, 0x20_0000n, 0x1000n])
  expect(smallestPage(sizes)).toBe(0x1000n)
})

describe('choosePages', () => {
  test.each<[what: string, iova: bigint, physical: bigint, size: bigint, pageSize: bigint, count: number]>([
    ['small pages for a small range', 0x1000n, 0x5000n, 0x3000n, 0x1000n, 3],
    ['large pages where all is aligned', 0x20_0000n, 0x60_0000n, 0x40_0000n, 0x20_0000n, 2],
    ['small pages up to where large ones can begin', 0x1f_e000n, 0x5f_e000n, 0x20_2000n, 0x1000n, 2],
    ['small pages throughout, where no large one would be full', 0x1f_e000n, 0x5f_e000n, 0x20_1000n, 0x1000n, 0x201],
    ['small pages throughout, where the offsets differ', 0x1f_e000n, 0x5f_f000n, 0x40_0000n, 0x1000n, 0x400],
    ['middle pages up to the largest', 0x3fe0_0000n, 0x7fe0_0000n, 0x4020_0000n, 0x20_0000n, 1],
    ['no more than alignment allows', 0x20_0000n, 0x1000n, 0x20_0000n, 0x1000n, 0x200],
  ])('%s', (_what, iova, physical, size, pageSize, count) => {
    expect(choosePages(sizes, iova, physical, size)).toEqual({ pageSize, count })
  })

  test('runs always add up to the range, whatever it is', () => {
    let seed = 1
    const random = (limit: number): bigint => {
      seed = (seed * 48271) % 0x7fff_ffff
      return BigInt(seed % limit) * 0x1000n
    }
    for (let round = 0; round < 500; round += 1) {
      const [iova, physical, size] = [random(2048), random(2048), random(4096) + 0x1000n]
      let done = 0n
      while (done < size) {
        const run = choosePages(sizes, iova + done, physical + done, size - done)
        expect((iova + done) % run.pageSize + (physical + done) % run.pageSize).toBe(0n)
        done += run.pageSize * BigInt(run.count)
      }
      expect(done).toBe(size)
    }
  })
})

describe('device addresses', () => {
  const space = (): ReturnType<typeof createIovaSpace> => createIovaSpace(0x1000n, { start: 0n, end: (1n << 48n) - 1n })

  test('come from the top, below 4 GiB, aligned to their size', () => {
    const addresses = space()
    expect(allocateIova(addresses, 0x1000n)).toBe(0xffff_f000n)
    expect(allocateIova(addresses, 0x3000n)).toBe(0xffff_c000n)
    expect(allocateIova(addresses, 0x1000n)).toBe(0xffff_b000n)
  })

  test('avoid what is reserved, and are used again when they are free', () => {
    const addresses = space()
    addresses.reserved.push({ start: 0xfee0_0000n, end: 0xffff_ffffn }, { start: 0xfedf_f800n, end: 0xfedf_ffffn })
    expect(allocateIova(addresses, 0x1000n)).toBe(0xfedf_e000n)
    expect(allocateIova(addresses, 0x1000n)).toBe(0xfedf_d000n)
    freeIova(addresses, 0xfedf_e000n)
    expect(takenAt(addresses, 0xfedf_e000n)).toBeUndefined()
    expect(takenAt(addresses, 0xfedf_d000n)).toBeDefined()
    expect(allocateIova(addresses, 0x1000n)).toBe(0xfedf_e000n)
  })

  test('never include 0, and run out', () => {
    const addresses = createIovaSpace(0x1000n, { start: 0n, end: 0x2fffn })
    expect([0, 1, 2].map(() => allocateIova(addresses, 0x1000n))).toEqual([0x2000n, 0x1000n, undefined])
    expect(allocateIova(addresses, 0x1_0000_0000_0000n)).toBeUndefined()
  })
})
