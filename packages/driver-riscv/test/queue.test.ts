// The command queue against a unit that the test plays: what is in memory and in the registers, and what is said when
// nothing comes of it.
import { describe, expect, test } from 'vitest'
import { createRegisters, PhysicalMemory } from '@iommu/hardware'
import type { Machine } from '@iommu/hardware'
import { wordsAt } from '../../../tools/driver-tests/dma.js'
import { withoutMemory } from '../../../tools/driver-tests/machines.js'
import { hex } from '../../../tools/driver-tests/spell.js'
import { createQueue } from '../src/programming/queue.js'
import type { CommandQueue } from '../src/programming/queue.js'
import { OFFSETS } from '../src/tables/index.js'

const FORGET = [0x1_1002_0000_0003n, 0n] as const
const FLUSH = [0x1_0000_5001n, 0n] as const
/** IOFENCE.C of reads and writes. */
const FENCE = [0x3002n, 0n] as const
const ON = 0x1_0001n
/** cqcsr: memory fault, a time-out, an illegal command. */
const [CQMF, CMD_TO, CMD_ILL] = [0x100n, 0x200n, 0x400n]

interface Played {
  readonly queue: CommandQueue
  readonly did: readonly string[]
  ticks(): number
  words(index: number): bigint[]
}

/** A unit that takes what there is after `patience` reads of the driver, or stops at an index with an error. */
const played = ({ patience = 0, error = 0n, at = 0n, drains = true }: {
  readonly patience?: number; readonly error?: bigint; readonly at?: bigint; readonly drains?: boolean
} = {}): Played => {
  const memory = new PhysicalMemory()
  const values = new Map<number, bigint>([[OFFSETS.cqcsr, ON]])
  const did: string[] = []
  let ticks = 0
  const run = (): void => {
    if (error !== 0n) {
      values.set(OFFSETS.cqcsr, ON | error)
      values.set(OFFSETS.cqh, at)
    } else if (drains) values.set(OFFSETS.cqh, values.get(OFFSETS.cqt) as bigint)
  }
  const registers = createRegisters({
    read: (offset) => values.get(offset) ?? 0n,
    write(offset, _bits, value) {
      if (offset === OFFSETS.cqcsr) did.push(`cqcsr ${hex(value)}`)
      values.set(offset, value)
      if (offset === OFFSETS.cqt && patience === 0) run()
    },
    tick: () => void (++ticks === patience && run()),
  })
  const queue = createQueue({ memory, registers } as unknown as Machine) as CommandQueue
  const { base } = queue
  return {
    queue, did, ticks: () => ticks,
    words: (index) => wordsAt({ memory }, base + BigInt(index * 16), 2),
  }
}

test('commands lie in order behind each other, and a fence is the last', () => {
  const { queue, words } = played()
  expect(queue.log2Entries).toBe(8)
  queue.submit([FORGET, FLUSH])
  queue.submit([FLUSH])
  expect([0, 1, 2, 3, 4, 5].map(words)).toEqual([FORGET, FLUSH, FENCE, FLUSH, FENCE, [0n, 0n]])
})

test('the head is read until it has come, and no longer', () => {
  const { queue, ticks } = played({ patience: 3 })
  queue.submit([FORGET])
  expect(ticks()).toBe(3)
})

test('nothing is taken where there is no memory', () => {
  expect(createQueue(withoutMemory(1))).toBeUndefined()
})

describe('ENODEV', () => {
  test('where the commands are not taken', () => {
    const { queue, ticks } = played({ patience: 5000 })
    expect(() => { queue.submit([FORGET]) }).toThrow('ENODEV: the unit does not complete commands (head 0x0, tail 0x2)')
    expect(ticks()).toBe(999)
  })
  test('where the queue does not drain: the head may not be reached', () => {
    const { queue } = played({ drains: false })
    for (let n = 0; n < 127; n++) expect(() => { queue.submit([FORGET]) }).toThrow('does not complete')
    expect(() => { queue.submit([FORGET]) }).toThrow('ENODEV: the command queue is full and does not drain (head 0x0, tail 0xff)')
  })
  test('where a command is refused: it becomes a fence, and the queue goes on', () => {
    const { queue, words, did, ticks } = played({ error: CMD_ILL, at: 1n })
    expect(() => { queue.submit([FORGET, FLUSH]) }).toThrow('ENODEV: the unit refused a command (head 0x1)')
    expect([words(0), words(1), words(2), did, ticks()]).toEqual([FORGET, FENCE, FENCE, ['cqcsr 0x401'], 0])
  })
  test('where a device is silent: the fence is taken once more', () => {
    const { queue, words, did, ticks } = played({ error: CMD_TO, at: 1n })
    expect(() => { queue.submit([FORGET, FLUSH]) }).toThrow('ENODEV: a device did not answer the invalidation of its TLB (head 0x1)')
    expect([words(1), did, ticks()]).toEqual([FLUSH, ['cqcsr 0x201'], 0])
  })
  test('where the queue itself cannot be read', () => {
    const { queue, words, did, ticks } = played({ error: CQMF, at: 1n })
    expect(() => { queue.submit([FORGET, FLUSH]) }).toThrow('ENODEV: the unit cannot read its command queue (head 0x1)')
    expect([words(1), did, ticks()]).toEqual([FLUSH, ['cqcsr 0x101'], 0])
  })
})
