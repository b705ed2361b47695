// RAM in a file behaves as simulated RAM does: the same calls, the same words, the same events.
import { closeSync, mkdtempSync, openSync, rmSync, truncateSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, test } from 'vitest'
import { createEventStream, PhysicalMemory } from '@iommu/hardware'
import type { HardwareEvent, Memory } from '@iommu/hardware'
import { addressOf, carried, landmarkAt, serialValue } from '../src/landmarks.js'
import { RamFile } from '../src/ram.js'

const folder = mkdtempSync(join(tmpdir(), 'ram-'))
const file = join(folder, 'ram')
writeFileSync(file, '')
truncateSync(file, 0x200_0000)
const handle = openSync(file, 'r+')
afterAll(() => {
  closeSync(handle)
  rmSync(folder, { recursive: true })
})

const BYTES = 0x100_0000n
const tables = { start: 0x80_0000n, end: 0x90_0000n }
/** The second half of the file lies at 4 GiB. */
const ranges = [{ start: 0n, bytes: BYTES, offset: 0n }, { start: 0x1_0000_0000n, bytes: BYTES, offset: BYTES }]
const newRam = (): RamFile => new RamFile({ handle, ranges, tables, events: createEventStream() })

/** One call of every kind, on memory of either sort; what it reads. */
const story = (memory: Memory): unknown[] => {
  const frame = memory.pages.allocate() as number
  const pair = memory.pages.allocate(2) as number
  memory.store64(0x1000n, 0xffff_eeee_dddd_ccccn)
  memory.store32(0x1004n, 0x1234_5678)
  memory.store128(0x2010n, 1n << 63n, 0x7fff_ffffn)
  memory.fillPairs(frame, 4, 20, 0xffff_f000 | 0, 5, 0x1000)
  memory.storePair(frame, 511, -1, 7)
  memory.order()
  memory.writeBack(0x1000n, 64)
  memory.clearPairs(frame, 6, 3)
  memory.loadPair(frame, 5)
  const seen = [
    frame, pair, memory.low, memory.high, memory.load64(0x1000n), memory.load32(0x1000n), memory.load32(0x1004n),
    memory.load64(0x2010n), memory.load64(0x2018n), memory.areClear(frame, 6, 3, -1), memory.areClear(frame, 6, 4, -1),
    memory.countSet(frame, 9, 20, -1), memory.pages.live,
  ]
  memory.pages.free(pair, 2)
  return [...seen, memory.pages.live, memory.pages.allocate()]
}

describe('RAM in a file', () => {
  test('does what simulated RAM does, with the same events', () => {
    const simulated = new PhysicalMemory({ bytes: BYTES, tables })
    const filed = newRam()
    const events: [HardwareEvent[], HardwareEvent[]] = [[], []]
    simulated.events.observe((event) => void events[0].push(event))
    filed.events.observe((event) => void events[1].push(event))
    const [one, other] = [story(simulated), story(filed)]
    expect(other).toEqual(one)
    expect(events[1]).toEqual(events[0])
    expect(events[1].length).toBeGreaterThan(20)
  })

  test('does it unobserved too', () => {
    expect(story(newRam())).toEqual(story(new PhysicalMemory({ bytes: BYTES, tables })))
  })

  test('has its second range where that is, and nothing in between', () => {
    const ram = newRam()
    ram.store64(0x1_0000_0008n, 5n)
    expect(ram.load64(0x1_0000_0008n)).toBe(5n)
    expect(ram.load64(0x8n)).toBe(0n)
    expect(() => ram.load64(BYTES)).toThrow(RangeError)
    expect(() => ram.store64(0xff_ffff_f000n, 1n)).toThrow(/is not memory/)
    expect(() => ram.store64(4n, 1n)).toThrow(/not aligned/)
  })

  test('remembers the frames that stored words name, and no others', () => {
    const ram = newRam()
    ram.store64(0x1000n, 0x1_0000_5003n)
    ram.store64(0x1008n, 0xff_ffff_f003n)
    ram.mark(0x1010n, 0x7003n)
    expect([...ram.named].sort()).toEqual([0x10_0005])
  })
})

describe('landmarks', () => {
  test('say where they are, after a device has carried them', () => {
    for (const address of [0n, 8n, 0x12_3458n, 0x2_7fff_fff8n]) {
      expect(addressOf(carried(landmarkAt(address)))).toBe(address)
      // While a device keeps a timestamp it counts milliseconds, and it marks where it came from.
      expect(addressOf(carried((0x2n << 48n) | (landmarkAt(address) + 5n)))).toBe(address)
    }
  })

  test('are told from what devices write, and from zero', () => {
    expect(addressOf(0n)).toBeUndefined()
    expect(addressOf(carried(serialValue(0n)))).toBeUndefined()
    expect(carried(serialValue(1n))).not.toBe(carried(serialValue(2n)))
  })
})
