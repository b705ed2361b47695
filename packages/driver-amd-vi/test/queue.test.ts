// The command buffer against a unit that the test plays: what is in memory and in the registers, and what is said when
// nothing comes of it.
import { describe, expect, test } from 'vitest'
import { createRegisters, PhysicalMemory } from '@iommu/hardware'
import type { Machine } from '@iommu/hardware'
import { wordsAt } from '../../../tools/driver-tests/dma.js'
import { withoutMemory } from '../../../tools/driver-tests/machines.js'
import type { EventReader } from '../src/programming/faults.js'
import { createCommandBuffer } from '../src/programming/queue.js'
import type { CommandBuffer, CommandQueue } from '../src/programming/queue.js'
import { OFFSETS } from '../src/tables/index.js'

const FORGET_ENTRY = [0x2000_0000_0000_0110n, 0n] as const
const FORGET_DEVICE = [0x4000_0110_2000_0110n, 0x7fff_ffff_ffff_f001n] as const
const RUNNING = 1n << 4n

interface Played {
  readonly queue: CommandQueue
  readonly memory: PhysicalMemory
  readonly base: bigint
  readonly control: readonly bigint[]
  ticks(): number
  asked(): number
}

/** A unit that completes after `patience` reads of the driver, or stops; whose buffer drains; with a device that is silent. */
const played = ({ patience = 0, stops = false, drains = true, silent }: {
  readonly patience?: number; readonly stops?: boolean; readonly drains?: boolean; readonly silent?: number
} = {}): Played => {
  const memory = new PhysicalMemory()
  const values = new Map<number, bigint>([[OFFSETS.STATUS, stops ? 0n : RUNNING]])
  const control: bigint[] = []
  let [ticks, asked] = [0, 0]
  const complete = (): void => {
    const tail = values.get(OFFSETS.CMD_TAIL) as bigint
    if (drains) values.set(OFFSETS.CMD_HEAD, tail)
    const last = base + ((tail - 16n) & 0xfffn)
    // COMPLETION_WAIT with S: bits 51:3 are where Data goes.
    if (!stops) memory.store64(memory.load64(last) & 0xf_ffff_ffff_fff8n, memory.load64(last + 8n))
  }
  const registers = createRegisters({
    read: (offset) => values.get(offset) ?? 0n,
    write(offset, _bits, value) {
      values.set(offset, value)
      if (offset === OFFSETS.CONTROL) control.push(value)
      if (offset === OFFSETS.CMD_TAIL && value !== 0n && patience === 0) complete()
    },
    tick: () => void (++ticks === patience && complete()),
  })
  const events = { timedOut: () => (asked++, silent) } as unknown as EventReader
  const { base, open } = createCommandBuffer({ memory, registers } as unknown as Machine) as CommandBuffer
  return { queue: open(events), memory, base, ticks: () => ticks, asked: () => asked, control }
}

test('commands lie in order behind each other, and a wait that stores is the last', () => {
  const { queue, memory, base } = played()
  queue.submit([FORGET_ENTRY, FORGET_DEVICE])
  queue.submit([FORGET_ENTRY])
  const words = wordsAt({ memory }, base, 10)
  expect([...words.slice(0, 4), ...words.slice(6, 8)]).toEqual([...FORGET_ENTRY, ...FORGET_DEVICE, ...FORGET_ENTRY])
  // Opcode 1 with S, to the same place, another number each time.
  expect([(words[4] as bigint) >> 60n, (words[4] as bigint) & 7n]).toEqual([1n, 1n])
  expect([words[8] === words[4], words[5], words[9]]).toEqual([true, 1n, 2n])
})

test('the wait is read until it has written, and no longer', () => {
  const { queue, ticks } = played({ patience: 3 })
  queue.submit([FORGET_ENTRY])
  expect(ticks()).toBe(3)
})

test('nothing is taken where there is no memory', () => {
  for (const n of [1, 2]) expect(createCommandBuffer(withoutMemory(n))).toBeUndefined()
})

describe('ENODEV', () => {
  test('where the wait never writes', () => {
    const { queue, ticks } = played({ patience: 5000 })
    expect(() => queue.submit([FORGET_ENTRY])).toThrow('ENODEV: the unit does not complete commands (tail 0x20)')
    expect(ticks()).toBe(999)
  })
  test('where the buffer does not drain: the head may not be reached', () => {
    const { queue } = played({ drains: false })
    for (let n = 0; n < 127; n++) queue.submit([FORGET_ENTRY])
    expect(() => queue.submit([FORGET_ENTRY])).toThrow('ENODEV: the command buffer is full and does not drain (head 0x0, tail 0xff0)')
  })
  test('where the unit has stopped: the buffer begins anew', () => {
    const { queue, control, ticks } = played({ stops: true, drains: false })
    expect(() => queue.submit([FORGET_ENTRY])).toThrow('ENODEV: the unit refused a command (head 0x0)')
    expect([ticks(), control]).toEqual([0, [0n, 1n << 12n]])
  })
  test('where a device is silent, which only those are asked for that told one', () => {
    const { queue, asked } = played({ silent: 0x110 })
    queue.submit([FORGET_ENTRY])
    expect(asked()).toBe(0)
    expect(() => queue.submit([FORGET_ENTRY, FORGET_DEVICE])).toThrow('ENODEV: a device did not answer the invalidation of its TLB (source 0x110)')
  })
})
