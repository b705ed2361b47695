// The command queue against an SMMU that the test plays: what is in memory and in the registers, and what is said when
// nothing comes of it.
import { describe, expect, test } from 'vitest'
import { createEventStream, createRegisters, PhysicalMemory } from '@iommu/hardware'
import type { Machine } from '@iommu/hardware'
import { wordsAt } from '../../../tools/driver-tests/dma.js'
import { withoutMemory } from '../../../tools/driver-tests/machines.js'
import { hex } from '../../../tools/driver-tests/spell.js'
import { createQueue } from '../src/programming/queue.js'
import type { CommandQueue } from '../src/programming/queue.js'
import type { Capabilities } from '../src/tables/index.js'
import { OFFSETS } from '../src/tables/index.js'

const FORGET = [0x110_0000_0003n, 1n] as const
const FLUSH = [0x3_0000_0000_0011n, 0n] as const
/** SYNC without a signal, shareability and attributes of none. */
const SYNC = [0x46n, 0n] as const

interface Played {
  readonly queue: CommandQueue
  readonly written: readonly string[]
  readonly backs: readonly string[]
  ticks(): number
  words(index: number): bigint[]
}

/** Where an SMMU stops: at which index, with which error of CMDQ_CONS. */
interface Stop { readonly at: number; readonly error: number }

/** An SMMU that takes what there is after `patience` reads of the driver, and stops where it is told to. */
const played = ({ patience = 0, stops = [], drains = true, log2size = 8, coherent = true }: {
  readonly patience?: number; readonly stops?: readonly Stop[]; readonly drains?: boolean; readonly log2size?: number; readonly coherent?: boolean
} = {}): Played => {
  const stream = createEventStream()
  const memory = new PhysicalMemory({ coherent, events: stream })
  const backs: string[] = []
  stream.observe((event) => {
    if (event.kind === 'write-back') backs.push(`${hex(event.address - base)} ${event.bytes}`)
  })
  const values = new Map<number, number>()
  const written: string[] = []
  const left = [...stops]
  let ticks = 0
  const run = (): void => {
    const stop = left.shift()
    if (stop === undefined) {
      if (drains) values.set(OFFSETS.CMDQ_CONS, values.get(OFFSETS.CMDQ_PROD) ?? 0)
      return
    }
    values.set(OFFSETS.CMDQ_CONS, (stop.error * 2 ** 24) + stop.at)
    values.set(OFFSETS.GERROR, (values.get(OFFSETS.GERROR) ?? 0) ^ 1)
  }
  const registers = createRegisters({
    read: (offset) => BigInt(values.get(offset) ?? 0),
    write(offset, _bits, value) {
      values.set(offset, Number(value))
      if (offset === OFFSETS.GERRORN) written.push(`GERRORN ${hex(value)}`)
      if ((offset === OFFSETS.CMDQ_PROD || offset === OFFSETS.GERRORN) && patience === 0) run()
    },
    tick: () => void (++ticks === patience && run()),
  })
  // Bits of other errors are active all the time, and are not the queue's.
  values.set(OFFSETS.GERROR, 0x104)
  const queue = createQueue({ memory, registers } as unknown as Machine, { commandQueue: log2size, coherent } as Capabilities) as CommandQueue
  const { base } = queue
  return {
    queue, written, backs, ticks: () => ticks,
    words: (index) => wordsAt({ memory }, base + BigInt(index * 16), 2),
  }
}

describe('commands lie in order behind each other, and a SYNC is the last', () => {
  test('over several submissions, and around the end', () => {
    const { queue, words } = played({ log2size: 2 })
    queue.submit([FORGET, FLUSH])
    expect([words(0), words(1), words(2)]).toEqual([FORGET, FLUSH, SYNC])
    queue.submit([FLUSH])
    expect([words(3), words(0)]).toEqual([FLUSH, SYNC])
    queue.submit([FORGET, FORGET])
    expect([words(1), words(2), words(3)]).toEqual([FORGET, FORGET, SYNC])
  })
  test('as many as the SMMU has room for, one page at the most', () => {
    expect([played({ log2size: 4 }).queue.log2size, played({ log2size: 19 }).queue.log2size]).toEqual([4, 8])
  })
  test('64 and a SYNC at a time', () => {
    const { queue, words } = played()
    queue.submit(Array.from({ length: 65 }, () => FORGET))
    expect([words(63), words(64), words(65), words(66)]).toEqual([FORGET, SYNC, FORGET, SYNC])
    const { queue: whole, words: there } = played()
    whole.submit(Array.from({ length: 64 }, () => FORGET))
    expect([there(64), there(65)]).toEqual([SYNC, [0n, 0n]])
  })
  test('nothing to say is a SYNC all the same', () => {
    const { queue, words } = played()
    queue.submit([])
    expect([words(0), words(1)]).toEqual([SYNC, [0n, 0n]])
  })
  test('and are written back where the SMMU does not snoop', () => {
    const { queue, backs } = played({ coherent: false })
    queue.submit([FORGET])
    expect(backs).toEqual(['0x0 16', '0x10 16'])
    const snooping = played()
    snooping.queue.submit([FORGET])
    expect(snooping.backs).toEqual([])
  })
})

test('the index is read until it has come, and no longer', () => {
  const { queue, ticks } = played({ patience: 3 })
  queue.submit([FORGET])
  expect(ticks()).toBe(3)
})

test('nothing is taken where there is no memory', () => {
  expect(createQueue(withoutMemory(1), { commandQueue: 8, coherent: true } as Capabilities)).toBeUndefined()
})

describe('ENODEV', () => {
  test('where the commands are not taken', () => {
    const { queue, ticks } = played({ patience: 5000 })
    expect(() => { queue.submit([FORGET]) }).toThrow('ENODEV: the SMMU does not complete commands (produced 0x2, consumed 0x0)')
    expect(ticks()).toBe(999)
  })
  test('where the queue does not drain: it can be filled, and not more', () => {
    const { queue } = played({ log2size: 3, drains: false })
    for (let n = 0; n < 4; n++) expect(() => { queue.submit([FORGET]) }).toThrow('does not complete')
    expect(() => { queue.submit([FORGET]) }).toThrow('ENODEV: the command queue is full and does not drain (consumed 0x0, produced 0x8)')
  })
  test('where a command is illegal: it becomes a SYNC, and the rest is taken', () => {
    const { queue, words, written } = played({ stops: [{ at: 1, error: 1 }] })
    expect(() => { queue.submit([FORGET, FLUSH, FORGET]) }).toThrow('ENODEV: the SMMU refused a command as illegal (index 0x1)')
    expect([words(0), words(1), words(2), words(3)]).toEqual([FORGET, SYNC, FORGET, SYNC])
    expect(written).toEqual(['GERRORN 0x1'])
    queue.submit([FLUSH])
    expect(words(4)).toEqual(FLUSH)
  })
  test('where a device is silent: the SYNC is taken once more', () => {
    const { queue, words, written } = played({ stops: [{ at: 1, error: 3 }] })
    expect(() => { queue.submit([FORGET]) }).toThrow('ENODEV: a device did not answer the invalidation of its TLB')
    expect([words(0), words(1), written]).toEqual([FORGET, SYNC, ['GERRORN 0x1']])
  })
  test('where it stops twice the first reason is told', () => {
    const { queue, written } = played({ stops: [{ at: 0, error: 1 }, { at: 1, error: 3 }] })
    expect(() => { queue.submit([FORGET]) }).toThrow('refused a command as illegal (index 0x0)')
    expect(written).toEqual(['GERRORN 0x1', 'GERRORN 0x0'])
  })
  test('where the queue itself cannot be read: nothing is tried again', () => {
    const { queue, words, written } = played({ stops: [{ at: 1, error: 2 }, { at: 1, error: 2 }] })
    expect(() => { queue.submit([FORGET, FLUSH]) }).toThrow('ENODEV: the SMMU cannot read its command queue (index 0x1, error 0x2)')
    expect([words(1), written]).toEqual([FLUSH, ['GERRORN 0x1']])
  })
})
