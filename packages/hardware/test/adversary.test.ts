// Adversarial mode on a made-up vendor: kept copies, pages, the sentences, and the classification of invalidations.
import { describe, expect, test } from 'vitest'
import { ENTRY, LEAVES, make, OTHER, PAGE, ROOT, write } from './adversary-vendor.js'

describe('kept copies', () => {
  test('an entry that comes needs no invalidation where absent ones are not kept', () => {
    const made = make()
    const { after, during } = made.adversary.watch(() => write(made, 1))
    expect([during, after]).toEqual([[], []])
  })
  test('and needs one where they are', () => {
    const made = make({ keepsAbsent: true })
    const { after, during } = made.adversary.watch(() => write(made, 1))
    expect([during.length, after.length]).toEqual([0, 1])
    const again = make({ keepsAbsent: true })
    expect(again.adversary.watch(() => {
      write(again, 1)
      again.command('entry', 1)
      again.command('wait')
    }).after).toEqual([])
  })
  test('a command has no effect before it is complete', () => {
    const made = make()
    write(made, 1)
    made.memory.store64(ENTRY, 0n)
    made.command('entry', 1)
    expect(made.met('next')).toEqual(['0x8000 domain 1', 'blocked'])
    made.command('wait')
    expect(made.met('next')).toEqual(['blocked'])
  })
  test('a store after the issue is not covered by it', () => {
    const made = make()
    write(made, 1)
    made.command('entry', 1)
    made.memory.store64(ENTRY, 0n)
    made.command('wait')
    expect(made.met('next')).toEqual(['0x8000 domain 1', 'blocked'])
  })
  test('an invalidation matches the domain in the copy, not the one in memory', () => {
    const made = make()
    write(made, 1)
    made.memory.store64(ENTRY, 0n)
    made.command('entry', 2)
    made.command('wait')
    expect(made.met('next')).toEqual(['0x8000 domain 1', 'blocked'])
  })
  test('of copies of two domains one invalidation takes its own', () => {
    const made = make()
    write(made, 1)
    made.memory.store64(ENTRY + 8n, 2n)
    made.command('entry', 1)
    made.command('wait')
    expect(made.met('next')).toEqual(['0x8000 domain 2'])
    made.memory.store64(ENTRY, 0n)
    expect(made.met('next')).toEqual(['0x8000 domain 2', 'blocked'])
  })
  test('torn copies are kept and used like others', () => {
    const made = make()
    write(made, 1)
    const { during } = made.adversary.watch(() => {
      made.memory.store64(ENTRY + 8n, 2n)
      made.memory.store64(ENTRY + 16n, 0x10n)
    })
    expect(during.map(({ outcome }) => outcome?.result === 'translated' && `${outcome.tag} 0x${outcome.address.toString(16)}`).sort())
      .toEqual(['domain 1 0x8010', 'domain 2 0x8000'])
  })
  test('copies from an old place live on until they are invalidated', () => {
    const made = make()
    write(made, 1)
    made.place = ENTRY + 0x100n
    made.command('fence')
    expect(made.met('next')).toEqual(['0x8000 domain 1', 'blocked'])
    made.command('entry', 1)
    made.command('wait')
    expect(made.met('next')).toEqual(['blocked'])
  })
})

describe('pages', () => {
  const live = (): ReturnType<typeof make> => {
    const made = make()
    write(made, 1)
    return made
  }
  test('a leaf that goes stays until its flush is complete', () => {
    const made = live()
    made.memory.store64(LEAVES, 0n)
    expect(made.met('next')).toEqual(['0x8000 domain 1', 'blocked'])
    made.command('pages', 1, true)
    made.command('wait')
    expect(made.met('next')).toEqual(['blocked'])
  })
  // The time of the oldest table read counts, not that of the fill: between issue and completion the old pointer
  // brings the old page back, and that must not accuse the driver.
  test('a table that goes stays until a flush that names tables', () => {
    const made = live()
    made.memory.store64(ROOT, 0n)
    made.command('pages', 1, true)
    made.command('wait')
    expect(made.met('next')).toEqual(['0x8000 domain 1', 'blocked'])
    made.command('pages', 1)
    made.command('wait')
    expect(made.met('next')).toEqual(['blocked'])
  })
  test('a stale entry fills the cache again after the flush of pages', () => {
    const made = live()
    made.memory.store64(ENTRY, 0n)
    for (const command of ['pages', 'wait', 'entry', 'wait']) made.command(command, 1)
    expect(made.met('next')).toEqual(['blocked'])
    expect(made.adversary.release(1).map(({ sentence }) => sentence)).toEqual(['free', 'free'])
  })
  test('one wait for both is right only where the hardware orders them', () => {
    const left = (queue: 'ordered' | 'unordered'): number => {
      const made = make({ options: { queue } })
      write(made, 1)
      made.memory.store64(ENTRY, 0n)
      for (const command of ['entry', 'pages', 'wait']) made.command(command, 1)
      return made.adversary.release(1).length
    }
    expect([left('ordered'), left('unordered')]).toEqual([0, 2])
  })
  test('what a live entry can bring back is no mistake', () => {
    const made = live()
    expect(made.adversary.release(1)).toEqual([])
  })
  test('a table page given back while a pointer leads to it', () => {
    const made = live()
    const frame = made.memory.pages.allocate() as number
    made.memory.store64(BigInt(frame) << 12n, OTHER | 1n)
    const link = (BigInt(frame) << 12n) | 1n
    const { free } = made.adversary.watch(() => {
      made.memory.store64(ROOT, link)
      made.memory.store64(ROOT, LEAVES | 1n)
      made.memory.pages.free(frame)
    })
    expect(free.length).toBe(1)
  })
})

describe('sentences', () => {
  test('hitless: blocked in between is a finding', () => {
    const made = make({ shape: { atomBytes: 16 } })
    write(made, 1)
    const through = (): void => {
      made.memory.store64(ENTRY, 0n)
      made.memory.store64(ENTRY, ROOT | 1n)
    }
    expect(made.adversary.watch(through).during).toEqual([])
    expect(made.adversary.watch(through, { hitless: true }).during.map(({ step }) => step)).toEqual(['store 0x1000: 0x2001 -> 0x0'])
  })
  test('hitless: DMA that was blocked before the state before is nobody\'s', () => {
    const made = make({ shape: { atomBytes: 16 } })
    write(made, 1)
    expect(made.adversary.watch(() => made.memory.store64(LEAVES, OTHER | 1n), { hitless: true }).during).toEqual([])
  })
  test('a store that was never written back: what comes after is not what was meant', () => {
    const made = make({ coherent: false })
    const { after } = made.adversary.watch(() => write(made, 1))
    expect(after.map(({ outcome }) => outcome?.result)).toEqual(['blocked'])
  })
  test('at rest: a copy that differs from memory in bits that do not matter yet', () => {
    const made = make({ keepsAbsent: true })
    write(made, 1)
    made.memory.store64(ENTRY, 0n)
    for (const command of ['entry', 'wait']) made.command(command, 1)
    expect(made.adversary.atRest()).toEqual([])
    made.memory.store64(ENTRY, 0x5000n)
    expect(made.adversary.atRest().length).toBe(1)
  })
  test('exploring changes nothing', () => {
    const made = make()
    write(made, 1)
    made.memory.store64(LEAVES, OTHER | 1n)
    const once = made.met()
    expect([made.met(), made.met()]).toEqual([once, once])
    expect(once).toEqual(['0x8000 domain 1', '0x9000 domain 1', 'blocked'])
    expect(PAGE).toBe(0x8000n)
  })
})

describe('invalidations are judged', () => {
  const verdicts = (run: (made: ReturnType<typeof make>) => void): string[] => {
    const made = make()
    write(made, 1)
    made.adversary.watch(() => run(made))
    return made.adversary.invalidations().map(({ text, verdict, stale, tooWide }) => `${text}: ${verdict} ${stale} ${tooWide}`)
  }
  test('needed: the copy is stale; the pages because the domain is given back', () => {
    const run = (release: boolean) => (made: ReturnType<typeof make>): void => {
      made.memory.store64(ENTRY, 0n)
      made.command('entry', 1)
      made.command('wait')
      made.command('pages', 1)
      made.command('wait')
      if (release) made.adversary.release(1)
    }
    expect(verdicts(run(true))).toEqual(['entry 1: needed 1 0', 'pages 1: needed 2 0'])
  })
  test('needless: nothing has changed; mandated where the manual says so', () => {
    expect(verdicts((made) => {
      made.command('entry', 1)
      made.command('pages', 1)
    })).toEqual(['entry 1: needless 0 1', 'pages 1: mandated 0 2'])
  })
  test('needless now, and needed where the domain is given back afterwards', () => {
    expect(verdicts((made) => {
      made.command('pages', 1)
      made.adversary.release(1)
      made.command('pages', 1)
    })).toEqual(['pages 1: needed 0 0', 'pages 1: mandated 0 2'])
  })
  test('too wide: the table did not change, only the leaf', () => {
    expect(verdicts((made) => {
      made.memory.store64(LEAVES, 0n)
      made.command('pages', 1)
    })).toEqual(['pages 1: needed 1 1'])
  })
})

test('what has not changed is not worked out again', () => {
  const made = make()
  write(made, 1)
  const { memoHits, memoMisses, copies } = made.adversary.cost
  made.command('wait')
  made.command('wait')
  const { cost } = made.adversary
  expect(cost.memoHits).toBeGreaterThan(memoHits)
  expect([cost.memoMisses, cost.copies]).toEqual([memoMisses, copies])
})

describe('a request is tried again only where something that it asks for has changed', () => {
  /** How often it is tried in a look after a change. */
  const triesAfter = (change: (made: ReturnType<typeof make>) => void): number => {
    const made = make()
    write(made, 1)
    made.command('wait')
    const before = made.tries
    change(made)
    made.command('wait')
    return made.tries - before
  }
  test('nothing has: not at all', () => expect(triesAfter(() => undefined)).toBe(0))
  test('a word that no entry and no walk rests on: not at all', () => expect(triesAfter(({ memory }) => memory.store64(0x7000n, 1n))).toBe(0))
  test('the entry, a page, the register that says where the entry is: again', () => {
    expect(triesAfter((made) => write(made, 2))).toBeGreaterThan(0)
    expect(triesAfter(({ memory }) => memory.store64(LEAVES, OTHER | 1n))).toBeGreaterThan(0)
    expect(triesAfter((made) => { made.place = 0x5000n })).toBeGreaterThan(0)
  })
  test('a command that leaves less behind: again', () => expect(triesAfter((made) => {
    made.memory.store64(LEAVES, OTHER | 1n)
    made.command('pages', 1)
  })).toBeGreaterThan(triesAfter(({ memory }) => memory.store64(LEAVES, OTHER | 1n))))
})
