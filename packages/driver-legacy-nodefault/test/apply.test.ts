// What each step does to the machine, in the order of the plan.
import { describe, expect, test } from 'vitest'
import { createRegisters, frameAddress, PhysicalMemory } from '@iommu/hardware'
import type { Machine } from '@iommu/hardware'
import { hex } from '../../../tools/driver-tests/spell.js'
import { apply } from '../src/programming/apply.js'
import type { CallStep, Step } from '../src/programming/steps.js'
import type { WordForm } from '../src/tables/words.js'

const FORM: WordForm = { bytes: 4, order: 'little' }

interface Played { readonly machine: Machine; readonly memory: PhysicalMemory; readonly did: string[] }
/** A machine whose registers begin with some values; `answers` are those of its instruction, the last one for good. */
const played = (begin: Readonly<Record<number, bigint>> = {}, answers: readonly bigint[] = [0n]): Played => {
  const memory = new PhysicalMemory({ coherent: false })
  const values = new Map(Object.entries(begin).map(([offset, value]) => [Number(offset), value]))
  const did: string[] = []
  const left = [...answers]
  memory.events.observe((event) => {
    if (event.kind === 'write-back') did.push(`written back ${hex(event.address)} ${event.bytes}`)
    else if (event.kind === 'free') did.push(`freed ${event.count}`)
    else if (event.kind === 'order') did.push('order')
  })
  const registers = createRegisters({
    read(offset) {
      did.push(`read ${hex(offset)}`)
      return values.get(offset) ?? 0n
    },
    write(offset, _bits, value) {
      values.set(offset, value)
      did.push(`${hex(offset)}: ${hex(value)}`)
    },
  })
  const call = (operation: string, args: readonly bigint[]): bigint => {
    did.push(`${operation} ${args.join(' ')}`)
    return (left.length > 1 ? left.shift() : left[0]) as bigint
  }
  return { machine: { memory, registers, call } as unknown as Machine, memory, did }
}
const write = (value: bigint, mask?: bigint): Step => ({ do: 'write', register: 'X', offset: 0x10, value, ...(mask === undefined ? {} : { mask }) })

describe('a register', () => {
  test('is written whole, unread', () => {
    const { machine, did } = played({ 0x10: 0xffn })
    apply(machine, [write(0x3n)])
    expect(did).toEqual(['0x10: 0x3'])
  })
  test('keeps what a mask does not name', () => {
    const { machine, did } = played({ 0x10: 0xf5n })
    apply(machine, [write(0x3an, 0x0fn)])
    expect(did).toEqual(['read 0x10', '0x10: 0xfa'])
  })
  test('is read to make writes arrive', () => {
    const { machine, did } = played()
    apply(machine, [write(1n), { do: 'read', register: 'X', offset: 0x14 }, { do: 'order' }, { do: 'remember', what: 'nothing' }])
    expect(did).toEqual(['0x10: 0x1', 'read 0x14', 'order'])
  })
})

test('a word in memory keeps what a mask does not name, and is written back', () => {
  const { machine, memory, did } = played()
  const at = 0x20_0000n
  memory.store32(at, 0xf5)
  apply(machine, [{ do: 'store', entry: 'x', address: at, value: 0x3an, mask: 0x0fn, form: FORM }])
  expect(memory.load32(at)).toBe(0xfa)
  apply(machine, [{ do: 'store', entry: 'x', address: at, value: 0x3n, form: FORM }])
  expect([memory.load32(at), did]).toEqual([3, ['written back 0x200000 4', 'written back 0x200000 4']])
})

test('frames go back, one at the least', () => {
  const { machine, memory, did } = played()
  const [one, two] = [memory.pages.allocate() as number, memory.pages.allocate(4) as number]
  apply(machine, [{ do: 'free', what: 'a table', table: frameAddress(one), bytes: 1024 }, { do: 'free', what: 'tables', table: frameAddress(two), bytes: 16384 }])
  expect([did.filter((each) => each.startsWith('freed')), memory.pages.live]).toEqual([['freed 1', 'freed 4'], 0])
})

describe('a wait', () => {
  const wait: Step = { do: 'wait', register: 'DONE', offset: 0x20, until: 0x6n, otherwise: [write(7n)] }
  test('ends with any bit that it is for', () => {
    const { machine, did } = played({ 0x20: 0x5n })
    apply(machine, [wait])
    expect(did).toEqual(['read 0x20'])
  })
  test('that never ends goes on otherwise', () => {
    const { machine, did } = played({ 0x20: 0x9n })
    apply(machine, [wait, write(8n)])
    expect([did.length, did.slice(-3)]).toEqual([1002, ['read 0x20', '0x10: 0x7', '0x10: 0x8']])
  })
})

describe('an instruction', () => {
  const call: CallStep = {
    do: 'call', operation: 'MPCIFC', args: [1n, 2n], explain: (answer) => `answer ${answer}`,
    judge: (answer) => (answer === 0n ? 'done' : answer === 2n ? 'again' : 'refused'),
  }
  test('is repeated while it is to be', () => {
    const { machine, did } = played({}, [2n, 2n, 0n])
    apply(machine, [call])
    expect(did).toEqual(['MPCIFC 1 2', 'MPCIFC 1 2', 'MPCIFC 1 2'])
  })
  test('that is refused is ENODEV, and tried once', () => {
    const { machine, did } = played({}, [3n])
    expect(() => { apply(machine, [call]) }).toThrow('ENODEV: MPCIFC is refused: answer 3 (answer 0x3)')
    expect(did).toHaveLength(1)
  })
  test('that stays busy is ENODEV, after a hundred times', () => {
    const { machine, did } = played({}, [2n])
    expect(() => { apply(machine, [call]) }).toThrow('ENODEV: MPCIFC is refused: answer 2')
    expect(did).toHaveLength(100)
  })
})
