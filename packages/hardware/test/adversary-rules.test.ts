// The rules of adversarial mode, one by one where a mistake in them would not show on any driver, or only on a few.
// Long: each test is one way in which a rule was broken by hand, and they share one made-up vendor.
import { describe, expect, test } from 'vitest'
import { createCommands, createFetch, createHistory, createMaySet, dropOf, dropsNothing, explore, outcomeKey, PhysicalMemory } from '../src/index.js'
import type { Command, DmaRequest, FetchOrder, HardwareEvent, Held, History, Names, Shape, Span, Stores, TranslationTag } from '../src/index.js'
import { givenBack } from '../src/adversary/marks.js'
import { ENTRY, LEAVES, make, OTHER, PAGE, ROOT, write } from './adversary-vendor.js'

const AT = 0x1000n

const watched = (stores: Stores): { memory: PhysicalMemory; history: History; changed: (readonly number[])[] } => {
  const memory = new PhysicalMemory({ bytes: 0x10_0000n, tables: { start: 0x8_0000n, end: 0x10_0000n }, coherent: stores !== 'write-back' })
  const history = createHistory(memory, stores)
  const changed: (readonly number[])[] = []
  memory.events.observe((event: HardwareEvent) => {
    history.tick()
    changed.push(history.record(event))
  })
  return { memory, history, changed }
}

describe('late stores', () => {
  test('a write-back takes every line that it touches, and no other', () => {
    const { memory, history } = watched('write-back')
    for (const at of [AT, AT + 64n, AT + 128n]) memory.store64(at, 1n)
    memory.writeBack(AT + 56n, 72)
    expect([AT, AT + 64n, AT + 128n].map((at) => history.readable(at))).toEqual([[1n], [1n], [0n, 1n]])
  })
  test('a barrier is a change of what can be read', () => {
    const { memory, history, changed } = watched('order')
    memory.store64(AT, 1n)
    expect(history.readable(AT)).toEqual([0n, 1n])
    const { stamp } = history
    memory.order()
    expect([history.readable(AT), changed.at(-1), history.changed([Number(AT / 8n)], stamp)]).toEqual([[1n], [Number(AT / 8n)], true])
  })
  test('every page of a run comes zeroed', () => {
    const { memory, history } = watched('prompt')
    const frame = memory.pages.allocate(2) as number
    const second = BigInt(frame + 1) << 12n
    memory.store64(second, 5n)
    memory.pages.free(frame, 2)
    memory.pages.allocate(2)
    expect(history.readable(second)).toEqual([0n])
  })
})

describe('fetches', () => {
  const read = (
    order: FetchOrder, words: readonly number[], run: (memory: PhysicalMemory) => void, span: Span = { since: 0, until: Infinity },
  ): string[] => {
    const { memory, history } = watched('prompt')
    run(memory)
    const shape: Shape = { bytes: 32, atomBytes: 16, order }
    return explore((choose) => {
      const word = createFetch(history, choose, span, () => undefined)(AT, shape)
      const values = new Map(words.map((index) => [index, word(index)]))
      return `${values.get(0)}${values.get(2)}`
    }, String).sort()
  }
  const pointerFirst = (memory: PhysicalMemory): void => {
    memory.store64(AT + 16n, 1n)
    memory.store64(AT, 1n)
  }
  test('P is read first, whatever is asked for first', () => expect(read('present-first', [2, 0], pointerFirst)).toEqual(['00', '01', '11']))
  test('a value that comes back counts from when it was first there', () => {
    expect(read('present-first', [0, 2], (memory) => {
      for (const [at, value] of [[AT, 1n], [AT + 16n, 1n], [AT, 0n], [AT, 1n]] as const) memory.store64(at, value)
    })).toContain('10')
  })
  test.each(['free', 'present-first', 'snapshot'] as const)('nothing is read after the end, %s', (order) =>
    expect(read(order, [0, 2], pointerFirst, { since: 0, until: 2 })).toEqual(['00', '01']))
})

describe('copies', () => {
  const stale = (): ReturnType<typeof make> => {
    const made = make({ shape: { atomBytes: 16 } })
    write(made, 1)
    made.memory.store64(ENTRY + 8n, 2n)
    return made
  }
  test('what a partial invalidation took can be fetched again', () => {
    const made = make()
    write(made, 1)
    made.memory.store64(ENTRY + 8n, 2n)
    for (const command of ['entry', 'wait']) made.command(command, 1)
    made.memory.store64(ENTRY + 8n, 1n)
    made.memory.store64(ENTRY, 0n)
    expect(made.met('next')).toEqual(['0x8000 domain 1', '0x8000 domain 2', 'blocked'])
  })
  test('DMA has landed when a change begins, and kept copies stay', () => {
    const made = stale()
    const { during, after } = made.adversary.watch(() => made.memory.store64(LEAVES, OTHER | 1n), { hitless: true })
    expect(during.map(({ outcome }) => outcome?.result)).not.toContain('blocked')
    expect(after.map(({ says }) => says.includes('domain 1'))).toContain(true)
  })
  test('DMA that begins in the change has not', () => {
    const made = stale()
    const { during } = made.adversary.watch(() => {
      made.memory.store64(ENTRY, 0n)
      made.memory.store64(ENTRY, ROOT | 1n)
    }, { hitless: true })
    expect(during.map(({ outcome }) => outcome?.result)).toContain('blocked')
  })
  test('a place that is left: what it says later is in no copy, what it said is', () => {
    const made = make()
    write(made, 1)
    made.place = ENTRY + 0x100n
    made.command('fence')
    made.memory.store64(ENTRY + 8n, 3n)
    expect(made.met('next')).toEqual(['0x8000 domain 1', 'blocked'])
    made.place = ENTRY
    made.command('fence')
    expect(made.met('next')).toEqual(['0x8000 domain 1', '0x8000 domain 3'])
  })
  test('a place that is left and forgotten begins anew when it is reached again', () => {
    const made = make()
    write(made, 1)
    made.place = ENTRY + 0x100n
    for (const command of ['fence', 'entry', 'wait']) made.command(command, 1)
    made.memory.store64(ENTRY + 16n, 0x10n)
    made.memory.store64(ENTRY + 16n, 0n)
    made.place = ENTRY
    made.command('fence')
    expect(made.met('next')).toEqual(['0x8000 domain 1'])
  })
  // Stricter than hardware, which reads nothing there meanwhile (docs/adversary.md).
  test('a place that is reached again before anything was invalidated counts as reached in between', () => {
    const made = make()
    write(made, 1)
    made.place = ENTRY + 0x100n
    made.command('fence')
    made.memory.store64(ENTRY + 16n, 0x10n)
    made.memory.store64(ENTRY + 16n, 0n)
    made.place = ENTRY
    made.command('fence')
    expect(made.met('next')).toEqual(['0x8000 domain 1', '0x8010 domain 1'])
  })
  test('copies that are not kept are not at rest', () => {
    const made = make()
    write(made, 1)
    expect(made.adversary.atRest()).toEqual([])
  })
  test('a copy is what it was made of, not what it says: one that says the same of other words is no copy of now', () => {
    const made = make({ keepsAbsent: true })
    made.memory.store64(ENTRY, 0x20n)
    made.adversary.watch(() => undefined)
    expect(made.adversary.atRest().map(({ says }) => says)).toEqual(['a kept copy differs from memory: absent'])
  })
  test('what is kept from before is met in a change that has no step', () => {
    const made = stale()
    expect(made.adversary.watch(() => undefined).during.map(({ step, says }) => `${step}: ${says.slice(0, 15)}`)).toEqual(['before: 0x8000 domain 1'])
  })
  test('DMA by a place that was left before a change has landed when it begins', () => {
    const made = make()
    made.place = ENTRY + 0x100n
    write(made, 1)
    made.place = ENTRY
    made.command('fence')
    made.place = ENTRY + 0x100n
    const { interrupted, during } = made.adversary.watch(() => undefined, { hitless: true })
    expect([interrupted, during]).toEqual([[], []])
  })
  test('a register that says where the entry is decides what memory says', () => {
    const made = make()
    write(made, 1)
    expect(made.met('memory')).toEqual(['0x8000 domain 1'])
    made.place = ENTRY + 0x100n
    expect(made.met('memory')).toEqual(['blocked'])
  })
  test('a command of another unit takes nothing', () => {
    const made = make()
    write(made, 1)
    made.memory.store64(ENTRY, 0n)
    for (const name of ['entry', 'wait']) made.memory.events.emit({ kind: 'command', name, words: [1n, 0n], text: name, unit: 3 })
    expect(made.met('next')).toEqual(['0x8000 domain 1', 'blocked'])
  })
})

describe('translations', () => {
  const flush = (made: ReturnType<typeof make>): void => ['pages', 'wait'].forEach((command) => made.command(command, 1))
  test.each([[false, ['0x8000 domain 1']], [true, ['0x8000 domain 1', 'blocked']]] as const)('that nothing is mapped is kept: %s', (keepsAbsent, expected) => {
    const made = make({ keepsAbsent })
    write(made, 1)
    for (const command of ['entry', 'wait']) made.command(command, 1)
    made.memory.store64(LEAVES, 0n)
    flush(made)
    made.memory.store64(LEAVES, PAGE | 1n)
    expect(made.met('next')).toEqual(expected)
  })
  test('a walk sees a late store, or not yet', () => {
    const made = make({ options: { stores: 'order' } })
    write(made, 1)
    made.memory.order()
    made.memory.store64(LEAVES, 0n)
    made.memory.order()
    for (const command of ['entry', 'pages', 'wait']) made.command(command, 1)
    made.memory.store64(LEAVES, OTHER | 1n)
    expect(made.met('next')).toEqual(['0x9000 domain 1', 'blocked'])
    made.memory.order()
    expect(made.met('next')).toEqual(['0x9000 domain 1'])
  })
  test('who starts a DMA has ordered his stores before it', () => {
    const made = make({ options: { stores: 'order' } })
    made.memory.store64(LEAVES, 0n)
    made.memory.order()
    write(made, 1)
    made.memory.order()
    expect(made.adversary.watch(() => made.memory.store64(LEAVES, OTHER | 1n)).after).toEqual([])
  })
  test('of two ways to one page both leave their pointers behind', () => {
    const made = make({ options: { stores: 'order' } })
    const frame = made.memory.pages.allocate() as number
    made.memory.store64(BigInt(frame) << 12n, PAGE | 1n)
    write(made, 1)
    made.memory.order()
    made.memory.store64(ROOT, (BigInt(frame) << 12n) | 1n)
    made.memory.store64(ROOT, LEAVES | 1n)
    made.memory.order()
    made.memory.pages.free(frame)
    expect(made.adversary.freedPages().length).toBe(1)
  })
  test('another root under the same tag is another walk', () => {
    const made = make()
    made.memory.store64(0x4000n, 0x5001n)
    made.memory.store64(0x5000n, OTHER | 1n)
    write(made, 1)
    made.memory.store64(ENTRY, 0x4001n)
    for (const command of ['entry', 'wait', 'pages', 'wait']) made.command(command, 1)
    expect(made.met('next')).toEqual(['0x9000 domain 1'])
  })
  test('a request that is tried from now on has been tried before', () => {
    const made = make({ options: { probes: [] } })
    write(made, 1)
    made.adversary.track({ source: 1, kind: 'untranslated', address: 0n, access: 'read' })
    made.memory.store64(LEAVES, 0n)
    expect(made.met('next')).toEqual(['0x8000 domain 1', 'blocked'])
  })
})

describe('what is given back', () => {
  test('a page that a kept entry names, wherever it lies in what is freed; told once', () => {
    const made = make()
    const frame = made.memory.pages.allocate(2) as number
    const root = BigInt(frame + 1) << 12n
    made.memory.store64(root, LEAVES | 1n)
    write(made, 1, root)
    const free = (): void => made.memory.pages.free(frame, 2)
    expect(made.adversary.watch(free).free.map(({ says }) => says.slice(0, 31))).toEqual(['a kept copy still names the pag'])
    expect(made.adversary.freedPages()).toEqual([])
    made.memory.pages.allocate(2)
    free()
    expect([made.adversary.freedPages().length, made.adversary.freedPages().length]).toEqual([1, 0])
    made.memory.pages.allocate(2)
    free()
    expect(made.adversary.watch(() => undefined).free).toEqual([])
  })
  test('a domain that a kept entry names', () => {
    const made = make()
    write(made, 1)
    made.memory.store64(ENTRY + 8n, 2n)
    expect(made.adversary.release(1).map(({ says }) => says.slice(0, 35))).toContain('a kept copy still names domain 1: 8')
  })
  test('an entry that is absent names none', () => {
    const made = make({ keepsAbsent: true })
    expect([[...made.adversary.domains()], made.adversary.marks({ source: 1, kind: 'untranslated', address: 0n, access: 'read' }).entries]).toEqual([[], []])
  })
  test('of an entry its cache, source, PASID and domain count', () => {
    const tag = { cache: 'pasid', source: 1, pasid: 2, domain: 3, absent: false }
    const { hasEntry } = givenBack({ entries: [tag], translations: [] })
    expect([tag, { ...tag, cache: 'context' }, { ...tag, source: 9 }, { ...tag, pasid: 9 }, { ...tag, domain: 9 }, { ...tag, absent: true }].map(hasEntry))
      .toEqual([true, false, false, false, false, false])
  })
})

test('interrupted is what is blocked neither before nor after', () => {
  const made = make({ shape: { atomBytes: 16 } })
  const interrupted = (run: () => void): number => made.adversary.watch(run).interrupted.length
  const [on, off] = [(): void => made.memory.store64(ENTRY, ROOT | 1n), (): void => made.memory.store64(ENTRY, 0n)]
  made.memory.store64(ENTRY + 8n, 1n)
  expect([interrupted(on), interrupted(() => { off(); on() }), interrupted(off)]).toEqual([0, 1, 0])
})

describe('invalidations are judged by what memory says when they are issued', () => {
  const verdicts = (made: ReturnType<typeof make>, run: () => void): string[] => {
    made.adversary.watch(run)
    return made.adversary.invalidations().map(({ text, verdict, stale, tooWide }) => `${text}: ${verdict} ${stale} ${tooWide}`)
  }
  test('not by what it said before', () => {
    const made = make()
    write(made, 1)
    expect(verdicts(made, () => {
      made.command('pages', 1)
      made.memory.store64(LEAVES, 0n)
      made.command('pages', 1)
    })).toEqual(['pages 1: mandated 0 2', 'pages 1: needed 1 1'])
  })
  test('a domain that is given back was in use by all of them', () => {
    const made = make()
    write(made, 1)
    expect(verdicts(made, () => {
      made.command('pages', 1)
      made.command('pages', 1)
      made.adversary.release(1)
    })).toEqual(['pages 1: needed 0 0', 'pages 1: needed 0 0'])
  })
  test('those of the device\'s own TLB too', () => {
    const made = make({ ats: true, options: { probes: [asked()] } })
    write(made, 1)
    expect(verdicts(made, () => {
      made.command('device', 1)
      made.memory.store64(LEAVES, OTHER | 1n)
      made.command('device', 1)
    })).toEqual(['device 1: needless 0 1', 'device 1: needed 1 0'])
  })
})

const asked = (more: Partial<DmaRequest> = {}): DmaRequest => ({ source: 1, kind: 'translate', address: 0x10n, access: 'read', ...more })

describe('a device with a TLB of its own', () => {
  const device = (rules: { readonly ats?: boolean; readonly more?: readonly DmaRequest[] } = {}): ReturnType<typeof make> => {
    const made = make({ ats: rules.ats ?? true, options: { probes: [asked(), ...(rules.more ?? [])] } })
    write(made, 1)
    return made
  }
  const meets = (made: ReturnType<typeof make>, request = asked()): string[] => made.adversary.outcomes(request, 'next').map(outcomeKey)
    .map((each) => each.split(' ')[0] as string).sort()
  const gone = (made: ReturnType<typeof make>): void => {
    made.memory.store64(ENTRY, 0n)
    for (const command of ['entry', 'wait', 'pages', 'wait']) made.command(command, 1)
  }
  test('keeps what it was told until it is told to forget, for every byte of the page', () => {
    const made = device()
    gone(made)
    expect([meets(made), meets(made, asked({ address: 0x20n })), meets(made, asked({ kind: 'untranslated' }))])
      .toEqual([['0x8010', 'blocked'], ['0x8020', 'blocked'], ['blocked']])
    for (const command of ['device', 'wait']) made.command(command, 1)
    expect(meets(made)).toEqual(['blocked'])
  })
  test('keeps what it is told after the command was issued', () => {
    const made = device()
    made.command('device', 1)
    made.memory.store64(ENTRY, 0n)
    for (const command of ['entry', 'wait', 'pages', 'wait']) made.command(command, 1)
    expect(meets(made)).toEqual(['0x8010', 'blocked'])
  })
  test('and nothing where it is off', () => {
    const made = device({ ats: false })
    gone(made)
    expect(meets(made)).toEqual(['blocked'])
  })
  test('each source and each PASID has its own', () => {
    const made = device({ more: [asked({ pasid: 5 })] })
    gone(made)
    expect([meets(made, asked({ pasid: 5 })), meets(made, asked({ pasid: 6 })), meets(made, asked({ source: 2 }))])
      .toEqual([['0x8010', 'blocked'], ['blocked'], ['blocked']])
  })
  test('is empty when it was switched off, and learns no more', () => {
    const made = device({ more: [asked({ source: 2 })] })
    const config = (on: boolean): void => made.memory.events.emit({ kind: 'config', source: 1, feature: 'ats', on })
    made.command('wait')
    config(true)
    gone(made)
    expect(meets(made)).toEqual(['0x8010', 'blocked'])
    made.ats = false
    config(false)
    expect([meets(made), meets(made, asked({ source: 2 }))]).toEqual([['blocked'], ['0x8010', 'blocked']])
  })
  test('off, what it asks leaves nothing behind', () => {
    const made = device()
    made.ats = false
    made.memory.events.emit({ kind: 'config', source: 1, feature: 'ats', on: false })
    gone(made)
    expect(meets(made)).toEqual(['blocked'])
  })
})

describe('may-sets', () => {
  const tag: TranslationTag = { space: 'first', domain: 1, pasid: 2 }
  const held = (more: Partial<Held<string>> = {}): Held<string> => ({ tag, kind: 'leaf', key: 'a', value: 'a', first: 0, last: 3, origin: 1, ...more })
  test('a tag is its space, its domain and its PASID', () => {
    const set = createMaySet<string>()
    set.add(held())
    expect([tag, { ...tag, space: 'second' }, { ...tag, domain: 9 }, { ...tag, pasid: 9 }].map((each) => set.at(each, 'leaf', 0).length)).toEqual([1, 0, 0, 0])
  })
  test('the same value for other frames is another', () => {
    const set = createMaySet<string>()
    expect([set.add(held()), set.add(held({ first: 4, last: 7 })), set.all().length]).toEqual([true, true, 2])
  })
})

describe('commands', () => {
  const command = (kind: string, fences = false): Command => ({ text: kind, kind, completes: false, fences, drop: dropsNothing })
  test('a completion ends all of them, and the fence among them', () => {
    const done: number[] = []
    const queue = createCommands('unordered', () => false, (_drop, issue) => void done.push(issue))
    for (const [index, each] of [command('a'), command('b'), command('f', true)].entries()) queue.issue(each, index + 1)
    queue.complete()
    expect([done, queue.pending]).toEqual([[1, 2, 3], 0])
    queue.issue(command('a'), 4)
    queue.issue(command('b'), 5)
    expect(queue.pending).toBe(2)
  })
  test('a fence is one, and not all that follows', () => {
    const queue = createCommands('unordered', () => false, () => undefined)
    for (const [index, each] of [command('f', true), command('a'), command('b')].entries()) queue.issue(each, index + 1)
    expect(queue.pending).toBe(2)
  })
})

describe('what an invalidation names', () => {
  const tag: TranslationTag = { space: 'first', domain: 1, pasid: 2 }
  const drops = (names: Names, first: number, last: number, kind: 'leaf' | 'table' = 'leaf', source = 1): readonly boolean[] => {
    const { translation, device } = dropOf(names)
    return [translation({ tag, kind, first, last }), device({ tag: { ...tag, domain: source }, first, last })]
  }
  const under = (): boolean => true
  test('a range, with its first and its last frame', () => {
    const names: Names = { pages: { under, range: [4, 7] }, device: { source: 1, pasid: 2, range: [4, 7] } }
    const found = [[0, 3], [0, 4], [7, 9], [8, 9]].map(([first, last]) => drops(names, first as number, last as number))
    expect(found).toEqual([[false, false], [true, true], [true, true], [false, false]])
  })
  test('leaves alone', () => {
    const names: Names = { pages: { under, range: [4, 7], leavesOnly: true } }
    expect([drops(names, 4, 4)[0], drops(names, 4, 4, 'table')[0]]).toEqual([true, false])
  })
  test('a source and a PASID, or all of them', () => {
    const of = (pasid: number | 'all', source = 1): boolean | undefined => drops({ device: { source: 1, pasid, range: [0, 9] } }, 4, 4, 'leaf', source)[1]
    expect([of(2), of(3), of('all'), of(2, 9)]).toEqual([true, false, true, false])
  })
  test('what is fetched through an entry, where it says so', () => {
    const entry = (): boolean => true
    expect([dropOf({ entry, below: true }).below, dropOf({ entry }).below]).toEqual([true, false])
  })
})
