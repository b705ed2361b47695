// The parts of adversarial mode: windows of versions, fetch orders, may-sets, and the queue of commands.
import { describe, expect, test } from 'vitest'
import { createCommands, createFetch, createHistory, createMaySet, dropsNothing, explore, PhysicalMemory } from '../src/index.js'
import type { Command, FetchOrder, HardwareEvent, History, Stores } from '../src/index.js'

const AT = 0x1000n

/** A history that takes note of what is done to a memory. */
const watched = (stores: Stores): { memory: PhysicalMemory; history: History } => {
  const memory = new PhysicalMemory({ bytes: 0x10_0000n, tables: { start: 0x8_0000n, end: 0x10_0000n }, coherent: stores !== 'write-back' })
  const history = createHistory(memory, stores)
  memory.events.observe((event: HardwareEvent) => {
    history.tick()
    history.record(event)
  })
  return { memory, history }
}

describe('the history of memory', () => {
  const visible = (history: History, bytes = 8, at = AT): string[] =>
    history.versions(at, bytes).filter(({ to }) => to > history.now).map(({ values }) => values.join())

  test('prompt: only the last value is seen', () => {
    const { memory, history } = watched('prompt')
    memory.store64(AT, 1n)
    memory.store64(AT, 2n)
    expect(visible(history)).toEqual(['2'])
    expect(history.versions(AT, 8).map(({ values, from, to }) => [values[0], from, to])).toEqual([[0n, -1, 1], [1n, 1, 2], [2n, 2, Infinity]])
  })
  test('late: every value since the last barrier is seen', () => {
    const { memory, history } = watched('order')
    memory.store64(AT, 1n)
    memory.store64(AT, 2n)
    expect(visible(history)).toEqual(['0', '1', '2'])
    memory.order()
    expect(visible(history)).toEqual(['2'])
  })
  test('not snooped: a barrier is not enough, the line has to be written back', () => {
    const { memory, history } = watched('write-back')
    memory.store64(AT, 1n)
    memory.order()
    expect(visible(history)).toEqual(['0', '1'])
    memory.writeBack(AT + 64n, 8)
    expect(visible(history)).toEqual(['0', '1'])
    memory.writeBack(AT + 8n, 8)
    expect(visible(history)).toEqual(['1'])
  })
  test('two stores to an atom are two versions, one store of its size is one', () => {
    const { memory, history } = watched('order')
    memory.store64(AT + 8n, 2n)
    memory.store64(AT, 1n)
    expect(visible(history, 16)).toEqual(['0,0', '0,2', '1,2'])
    memory.store128(AT + 16n, 1n, 2n)
    expect(visible(history, 16, AT + 16n)).toEqual(['0,0', '1,2'])
  })
  test('a store of the same value is no step', () => {
    const { memory, history } = watched('prompt')
    memory.store64(AT, 0n)
    expect(history.versions(AT, 8).length).toBe(1)
    expect(history.stamp).toBe(0)
  })
  test('half a word is a store to the word', () => {
    const { memory, history } = watched('prompt')
    memory.store32(AT + 4n, 7)
    expect(history.versions(AT, 8).map(({ values }) => values[0])).toEqual([0n, 7n << 32n])
  })
  test('pages come zeroed, and that is a store like others', () => {
    const { memory, history } = watched('prompt')
    const first = memory.pages.allocate() as number
    memory.store64(BigInt(first) << 12n, 5n)
    memory.pages.free(first)
    expect(memory.pages.allocate()).toBe(first)
    expect(history.versions(BigInt(first) << 12n, 8).map(({ values }) => values[0])).toEqual([0n, 5n, 0n])
  })
})

describe('fetch orders', () => {
  /** Pairs of (word 0, word 2) that a fetch from the beginning can read. */
  const pairs = (order: FetchOrder, stores: Stores, run: (memory: PhysicalMemory) => void, at = AT): string[] => {
    const { memory, history } = watched(stores)
    run(memory)
    return explore((choose) => {
      const word = createFetch(history, choose, { since: 0, until: Infinity }, () => undefined)(at, { bytes: 32, atomBytes: 16, order })
      return `${word(0)}${word(2)}`
    }, String).sort()
  }
  const pointerFirst = (memory: PhysicalMemory): void => {
    memory.store64(AT + 16n, 1n)
    memory.store64(AT, 1n)
  }
  const presentFirst = (memory: PhysicalMemory): void => {
    memory.store64(AT, 1n)
    memory.store64(AT + 16n, 1n)
  }
  test.each([
    ['free', ['00', '01', '10', '11']], ['present-first', ['00', '01', '11']], ['snapshot', ['00', '01', '11']],
  ] as const)('%s, the pointer stored before P', (order, expected) => expect(pairs(order, 'prompt', pointerFirst)).toEqual(expected))
  test.each([
    ['free', ['00', '01', '10', '11']], ['present-first', ['00', '01', '10', '11']], ['snapshot', ['00', '10', '11']],
  ] as const)('%s, P stored before the pointer', (order, expected) => expect(pairs(order, 'prompt', presentFirst)).toEqual(expected))

  const barrier = (memory: PhysicalMemory): void => {
    memory.store64(AT + 16n, 1n)
    memory.order()
    memory.store64(AT, 1n)
  }
  test('late stores need a barrier before P', () => {
    expect(pairs('present-first', 'order', pointerFirst)).toEqual(['00', '01', '10', '11'])
    expect(pairs('present-first', 'order', barrier)).toEqual(['00', '01', '11'])
  })
  test('late stores in a snapshot: what is late is seen in any mixture', () => {
    expect(pairs('snapshot', 'order', pointerFirst)).toEqual(['00', '01', '10', '11'])
  })
  // A line is written back whole, so what was stored to it before P is there when P is. Without this rule the driver's
  // way of writing, and Linux's (one write-back after P), would be accused.
  test('a walker that does not snoop sees one line of memory in order', () => {
    expect(pairs('present-first', 'write-back', barrier)).toEqual(['00', '01', '11'])
  })
  test('but not two lines', () => {
    const at = AT + 48n
    const across = (memory: PhysicalMemory): void => {
      memory.store64(at + 16n, 1n)
      memory.order()
      memory.store64(at, 1n)
    }
    expect(pairs('present-first', 'write-back', across, at)).toEqual(['00', '01', '10', '11'])
  })
  test('words that are not asked for do not multiply the copies', () => {
    const { memory, history } = watched('order')
    for (let word = 0n; word < 4n; word++) memory.store64(AT + word * 8n, 1n)
    let runs = 0
    explore((choose) => {
      runs++
      return createFetch(history, choose, { since: 0, until: Infinity }, () => undefined)(AT, { bytes: 32, atomBytes: 8, order: 'free' })(0)
    }, String)
    expect(runs).toBe(2)
  })
  test('what is found through a parent is read after it', () => {
    const { memory, history } = watched('prompt')
    memory.store64(AT + 0x100n, 1n)
    memory.store64(AT, 1n)
    const seen = explore((choose) => {
      const fetch = createFetch(history, choose, { since: 0, until: Infinity }, () => undefined)
      const parent = fetch(AT, { bytes: 8, atomBytes: 8, order: 'free' })(0)
      return parent === 0n ? 'none' : String(fetch(AT + 0x100n, { bytes: 8, atomBytes: 8, order: 'free' })(0))
    }, String)
    expect(seen.sort()).toEqual(['1', 'none'])
  })
})

describe('may-sets', () => {
  const tag = { space: 'pages', domain: 1, pasid: 0 }
  const held = (key: string, origin: number): Parameters<ReturnType<typeof createMaySet<string>>['add']>[0] =>
    ({ tag, kind: 'leaf', key, value: key, first: 0, last: 3, origin })
  test('an origin only moves up', () => {
    const set = createMaySet<string>()
    expect([set.add(held('a', 5)), set.add(held('a', 3)), set.add(held('a', 6))]).toEqual([true, false, true])
    expect(set.at(tag, 'leaf', 2).map(({ origin }) => origin)).toEqual([6])
    expect(set.at(tag, 'leaf', 4)).toEqual([])
    expect(set.at({ ...tag, domain: 2 }, 'leaf', 2)).toEqual([])
  })
  test('an invalidation takes what rests on reads before its issue', () => {
    const set = createMaySet<string>()
    set.add(held('old', 4))
    set.add(held('young', 5))
    set.drop(() => true, 5)
    expect(set.all().map(({ key }) => key)).toEqual(['young'])
  })
})

describe('commands', () => {
  const command = (kind: string, fences = false): Command => ({ text: kind, kind, completes: false, fences, drop: dropsNothing })
  const finished = (order: 'vendor' | 'ordered' | 'unordered', ...issued: readonly Command[]): number[] => {
    const done: number[] = []
    const queue = createCommands(order, (earlier, later) => earlier.kind === 'a' && later.kind === 'b', (_drop, issue) => void done.push(issue))
    issued.forEach((each, index) => queue.issue(each, index + 1))
    return done
  }
  test('ordered: each is complete before the next', () => expect(finished('ordered', command('a'), command('a'), command('b'))).toEqual([1, 2]))
  test('unordered: nothing is before the completion', () => expect(finished('unordered', command('a'), command('b'))).toEqual([]))
  test('vendor: what the manual orders', () => expect(finished('vendor', command('c'), command('a'), command('b'))).toEqual([2]))
  test('a fence orders whatever it is', () => expect(finished('unordered', command('a'), command('f', true), command('a'))).toEqual([1, 2]))
})
