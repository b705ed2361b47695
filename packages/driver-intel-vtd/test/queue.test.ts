// The invalidation queue against a unit that the test plays: what is in memory and in the registers, and what is said when
// nothing comes of it.
import { describe, expect, test } from 'vitest'
import { createRegisters, PhysicalMemory } from '@iommu/hardware'
import type { Machine } from '@iommu/hardware'
import { wordsAt } from '../../../tools/driver-tests/dma.js'
import { withoutMemory } from '../../../tools/driver-tests/machines.js'
import { hex } from '../../../tools/driver-tests/spell.js'
import { createQueue } from '../src/programming/queue.js'
import type { InvalidationQueue } from '../src/programming/queue.js'
import { OFFSETS } from '../src/tables/index.js'

const FORGET = [0x110_0005_0031n, 0n] as const
const FORGET_PAGES = [0x5_00e2n, 0n] as const
/** FSTS: a descriptor was refused, or a device did not answer. */
const [IQE, ITE] = [0x10n, 0x40n]

interface Played {
  readonly queue: InvalidationQueue
  readonly memory: PhysicalMemory
  readonly written: readonly string[]
  ticks(): number
  words(from: number, count: number): bigint[]
}

/** A unit that completes after `patience` reads of the driver, or stops with an error at a descriptor. */
const played = ({ patience = 0, error = 0n, at = 0n, drains = true, scalable = true }: {
  readonly patience?: number; readonly error?: bigint; readonly at?: bigint; readonly drains?: boolean; readonly scalable?: boolean
} = {}): Played => {
  const memory = new PhysicalMemory()
  const bytes = scalable ? 32n : 16n
  const values = new Map<number, bigint>([[OFFSETS.IQERCD, 0x110n << 32n]])
  const written: string[] = []
  let ticks = 0
  const complete = (): void => {
    const tail = values.get(OFFSETS.IQT) as bigint
    if (error !== 0n) {
      values.set(OFFSETS.FSTS, error)
      values.set(OFFSETS.IQH, at)
      return
    }
    if (drains) values.set(OFFSETS.IQH, tail)
    const last = base + ((tail - bytes) & 0xfffn)
    // A wait with a status write: bits 63:32 go to the address in the second word.
    memory.store32(memory.load64(last + 8n), Number(memory.load64(last) >> 32n))
  }
  const registers = createRegisters({
    read: (offset) => values.get(offset) ?? 0n,
    write(offset, _bits, value) {
      if (offset === OFFSETS.FSTS) written.push(`FSTS ${hex(value)}`)
      values.set(offset, offset === OFFSETS.FSTS ? 0n : value)
      if (offset === OFFSETS.IQT && patience === 0) complete()
    },
    tick: () => void (++ticks === patience && complete()),
  })
  const queue = createQueue({ memory, registers } as unknown as Machine, scalable) as InvalidationQueue
  const { base } = queue
  return {
    queue, memory, written, ticks: () => ticks,
    words: (from, count) => wordsAt({ memory }, base + BigInt(from * 8), count),
  }
}

describe('descriptors lie in order behind each other, and a wait is the last', () => {
  test('of 256 bits in scalable mode, whose upper half is zero', () => {
    const { queue, words, memory } = played()
    for (const at of [0x10n, 0x18n, 0x50n, 0x58n]) memory.store64(queue.base + at, 7n)
    queue.submit([FORGET, FORGET_PAGES])
    expect(words(0, 8)).toEqual([...FORGET, 0n, 0n, ...FORGET_PAGES, 0n, 0n])
    // Type 5, a status write, behind everything before it.
    expect([(words(8, 1)[0] as bigint) & 0xffffn, ...words(10, 2)]).toEqual([0x65n, 0n, 0n])
  })
  test('of 128 bits in legacy mode', () => {
    const { queue, words, memory } = played({ scalable: false })
    memory.store64(queue.base + 0x30n, 7n)
    queue.submit([FORGET, FORGET_PAGES])
    expect(words(6, 1)).toEqual([7n])
    queue.submit([FORGET_PAGES])
    expect([...words(0, 4), ...words(6, 2)]).toEqual([...FORGET, ...FORGET_PAGES, ...FORGET_PAGES])
    expect(words(8, 1)).toEqual(words(4, 1))
  })
  test('from the first one again after a reset', () => {
    const { queue, words } = played({ drains: false })
    queue.submit([FORGET])
    queue.reset()
    queue.submit([FORGET_PAGES])
    expect(words(0, 2)).toEqual([...FORGET_PAGES])
  })
})

test('the status is read until the wait has written, and no longer; what an earlier one has written is not taken for it', () => {
  const { queue, ticks } = played({ patience: 3 })
  queue.submit([FORGET])
  expect(ticks()).toBe(3)
  expect(() => queue.submit([FORGET])).toThrow('ENODEV: the unit does not complete invalidations')
})

test('nothing is taken where there is no memory', () => {
  for (const n of [1, 2]) expect(createQueue(withoutMemory(n), true)).toBeUndefined()
})

describe('ENODEV', () => {
  test('where the wait never writes', () => {
    const { queue, ticks } = played({ patience: 5000 })
    expect(() => queue.submit([FORGET])).toThrow('ENODEV: the unit does not complete invalidations (tail 0x40)')
    expect(ticks()).toBe(999)
  })
  test('where the queue does not drain: the head may not be reached', () => {
    const { queue } = played({ drains: false })
    for (let n = 0; n < 63; n++) queue.submit([FORGET])
    expect(() => queue.submit([FORGET])).toThrow('ENODEV: the invalidation queue is full and does not drain (head 0x0, tail 0xfe0)')
    const legacy = played({ drains: false, scalable: false })
    for (let n = 0; n < 127; n++) legacy.queue.submit([FORGET])
    expect(() => legacy.queue.submit([FORGET])).toThrow('(head 0x0, tail 0xff0)')
  })
  test('where a descriptor is refused: it becomes a wait, and the error is cleared', () => {
    const { queue, words, written, ticks } = played({ error: IQE, at: 0x20n })
    expect(() => queue.submit([FORGET, FORGET_PAGES])).toThrow('ENODEV: the unit refused an invalidation descriptor (head 0x20)')
    expect(words(0, 2)).toEqual([...FORGET])
    expect(words(4, 4)).toEqual(words(8, 4))
    expect([written, ticks()]).toEqual([['FSTS 0x10'], 0])
  })
  test('where a device is silent: everything from there on becomes a wait, and the error is cleared', () => {
    const { queue, words, written, ticks } = played({ error: ITE, at: 0x20n })
    expect(() => queue.submit([FORGET, FORGET_PAGES, FORGET]))
      .toThrow('ENODEV: a device did not answer the invalidation of its TLB (source 0x110)')
    expect(words(0, 2)).toEqual([...FORGET])
    expect([words(4, 4), words(8, 4)]).toEqual([words(12, 4), words(12, 4)])
    expect([written, ticks()]).toEqual([['FSTS 0x40'], 0])
  })
})
