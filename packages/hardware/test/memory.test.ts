// Simulated memory: stores, what a walker sees of them, and the doors of hot paths.
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { addresses, frameAddress, frameOf, PhysicalMemory } from '../src/index.js'
import type { HardwareEvent } from '../src/index.js'

const memory = (): PhysicalMemory => new PhysicalMemory({ bytes: 0x1000_0000n })

describe('addresses', () => {
  test('split and join are inverse over 64 bits', () => {
    fc.assert(fc.property(fc.bigInt(0n, (1n << 64n) - 1n), (value) => {
      addresses.split(value)
      expect(addresses.join(addresses.low, addresses.high)).toBe(value)
      expect([addresses.lowOf(value), addresses.highOf(value)]).toEqual([addresses.low, addresses.high])
      expect(frameAddress(frameOf(value))).toBe(value & ~0xfffn)
    }))
  })
})

describe('stores', () => {
  test('of 4, 8 and 16 bytes are what loads find', () => {
    const m = memory()
    m.store128(0x1000n, 0x1122_3344_5566_7788n, 0x99aa_bbcc_ddee_ff00n)
    m.store32(0x1004n, 0xdeadbeef)
    expect([m.load64(0x1000n), m.load64(0x1008n), m.load32(0x1000n), m.load32(0x1004n)])
      .toEqual([0xdead_beef_5566_7788n, 0x99aa_bbcc_ddee_ff00n, 0x5566_7788, 0xdead_beef])
  })
  test('that are not aligned, or outside of memory, are refused with the address', () => {
    const m = memory()
    expect(() => m.store64(0x1004n, 0n)).toThrow('8-byte store to 0x1004, which is not aligned to 8')
    expect(() => m.store128(0x1008n, 0n, 0n)).toThrow('16-byte store to 0x1008, which is not aligned to 16')
    expect(() => m.store64(0x1000_0000n, 0n)).toThrow('frame 0x10000 is not memory')
    expect(() => m.load64(0x1000_0000n)).toThrow(RangeError)
  })
  test('are reported with what was there before, to whoever listens, and to nobody else', () => {
    const m = memory()
    const seen: HardwareEvent[] = []
    m.store64(0x1000n, 1n)
    const stop = m.events.observe((event) => seen.push(event))
    m.store64(0x1000n, 2n)
    m.storePair(1, 1, 3, 0)
    m.order()
    stop()
    m.store64(0x1000n, 4n)
    expect(seen).toEqual([
      { kind: 'store', address: 0x1000n, bytes: 8, before: [1n], after: [2n] },
      { kind: 'store', address: 0x1008n, bytes: 8, before: [0n], after: [3n] },
      { kind: 'order' },
    ])
    expect(m.events.listeners).toBeNull()
  })
})

test('words may be written past observers only while there are none, and in one array', () => {
  const flat = new PhysicalMemory({ bytes: 0x10_0000n, flat: true })
  expect(flat.unobserved).toBe(flat.flat)
  const stop = flat.events.observe(() => {})
  expect(flat.unobserved).toBeUndefined()
  stop()
  expect(flat.unobserved).toBe(flat.flat)
  expect(memory().unobserved).toBeUndefined()
})

describe('pairs', () => {
  test('filling steps through 64-bit words and carries into the upper half, watched or not', () => {
    for (const watched of [false, true]) {
      const m = memory()
      if (watched) m.events.observe(() => undefined)
      m.fillPairs(5, 10, 4, 0xffff_e003 | 0, 7, 0x1000)
      expect([0, 1, 2, 3].map((index) => m.load64(0x5000n + BigInt((10 + index) * 8))))
        .toEqual([0x7_ffff_e003n, 0x7_ffff_f003n, 0x8_0000_0003n, 0x8_0000_1003n])
      expect(m.areClear(5, 10, 4, 4)).toBe(true)
      expect(m.areClear(5, 10, 4, 1)).toBe(false)
      m.clearPairs(5, 11, 3)
      expect(m.areClear(5, 11, 3, -1)).toBe(true)
      expect(m.load64(0x5050n)).toBe(0x7_ffff_e003n)
    }
  })
})

describe('a walker that does not snoop', () => {
  test('sees a store only after its line was written back, and other lines not at all', () => {
    const m = new PhysicalMemory({ coherent: false })
    m.store64(0x1000n, 1n)
    m.store64(0x1040n, 2n)
    expect([m.walker.load64(0x1000n), m.snooped.load64(0x1000n)]).toEqual([0n, 1n])
    m.writeBack(0x1000n, 8)
    expect([m.walker.load64(0x1000n), m.walker.load64(0x1040n)]).toEqual([1n, 0n])
    m.writeBack(0x1038n, 16)
    expect(m.walker.load64(0x1040n)).toBe(2n)
  })
  test('sees what was there before the story began, and what hardware itself stores', () => {
    const m = new PhysicalMemory({ coherent: false })
    m.load(0x2000n, new Uint8Array([1, 0, 0, 0, 0, 0, 0, 0]))
    m.deviceStore32(0x2004n, 2)
    expect(m.walker.load64(0x2000n)).toBe(0x2_0000_0001n)
  })
  test('that snoops sees every store at once', () => {
    const m = memory()
    m.store64(0x1000n, 1n)
    expect(m.walker.load64(0x1000n)).toBe(1n)
  })
})

describe('table pages', () => {
  test('come zeroed, aligned to their number, and are counted', () => {
    const m = memory()
    const one = m.pages.allocate() as number
    m.store64(frameAddress(one), 5n)
    m.pages.free(one)
    expect(m.pages.live).toBe(0)
    const four = m.pages.allocate(4) as number
    expect(four % 4).toBe(0)
    expect(m.pages.live).toBe(4)
    expect(m.load64(frameAddress(m.pages.allocate() as number))).toBe(0n)
  })
  test('as runs that were given back are handed out as such again, and torn apart only where nothing else is left', () => {
    const m = new PhysicalMemory({ bytes: 0x10_0000n, tables: { start: 0x1_0000n, end: 0x2_8000n } })
    const run = m.pages.allocate(16) as number
    m.pages.free(run, 16)
    expect(m.pages.allocate(16)).toBe(run)
    m.pages.free(run, 16)
    const rest = Array.from({ length: 8 }, () => m.pages.allocate() as number)
    expect(rest.every((frame) => frame >= run + 16)).toBe(true)
    expect(m.pages.allocate()).toBe(run)
    expect([m.pages.allocate(16), m.pages.live]).toEqual([undefined, 9])
  })

  test('run out, or fail once at the n-th allocation', () => {
    const m = new PhysicalMemory({ bytes: 0x10_0000n, tables: { start: 0n, end: 0x3000n } })
    m.pages.failAt(2)
    expect([m.pages.allocate(), m.pages.allocate(), m.pages.allocate(), m.pages.allocate(), m.pages.allocate()])
      .toEqual([0, undefined, 1, 2, undefined])
  })
  test('are known to be handed out or not, also where they are many', () => {
    const m = new PhysicalMemory({ bytes: 0x4000_0000n, tables: { start: 0x10_0000n, end: 0x3000_0000n } })
    const frames = Array.from({ length: 5000 }, () => m.pages.allocate() as number)
    expect(frames.every((frame) => m.pages.isLive(frame))).toBe(true)
    for (const frame of frames.filter((_, at) => at % 3 === 0)) m.pages.free(frame)
    expect(frames.every((frame, at) => m.pages.isLive(frame) === (at % 3 !== 0))).toBe(true)
    expect(m.pages.live).toBe(frames.filter((_, at) => at % 3 !== 0).length)
    expect([0, 0xff, 0x100 + 5000, 2 ** 30].map((frame) => m.pages.isLive(frame))).toEqual([false, false, false, false])
  })
  test('given back twice are a fault of the driver', () => {
    const m = memory()
    const frame = m.pages.allocate() as number
    m.pages.free(frame)
    expect(() => m.pages.free(frame)).toThrow('is given back but was not handed out')
  })
})
