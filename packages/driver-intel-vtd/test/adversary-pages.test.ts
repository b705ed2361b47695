// Adversarial mode on page tables: what a paging domain may leave out, and which sentence notices.
import { createGather, gatherAdd } from '@iommu/core'
import type { Gather, PagingDomain } from '@iommu/core'
import { frameAddress, frameOf } from '@iommu/hardware'
import type { DmaRequest, QueueOrder, Sentence } from '@iommu/hardware'
import { describe, expect, test } from 'vitest'
import { PAGE, unmap } from '../../../tools/driver-tests/scene.js'
import { driverOver } from '../src/backends.js'
import { programming } from '../src/programming/index.js'
import type { Programming } from '../src/programming/index.js'
import { createScene, map } from './adversary-scene.js'
import type { Scene, Setup } from './adversary-scene.js'
import { read } from './scene.js'

/** A range that a table page of its own covers, and a page in it. */
const TABLE = 0x4020_0000n
const PAGES = 512
const NEXT = 0x4040_0000n
const FAR = 0x7000_0000n
const TO = 0x100_0000n
const OTHER = 0x300_0000n
const RW = { read: true, write: true }

interface Stage {
  readonly scene: Scene
  readonly domain: PagingDomain
}

const probe = (address: bigint, kind: DmaRequest['kind'] = 'untranslated'): DmaRequest => read(address, { kind })

/** A device with a domain of the format, in which the whole of TABLE is mapped. */
const prepare = (format: string, setup: Setup, probes: readonly DmaRequest[]): Stage => {
  const scene = createScene({ ...setup, probes })
  const domain = scene.paging(format)
  const { error } = domain.mapPages(TABLE, TO, PAGE, PAGES, RW)
  if (error !== undefined) throw error
  domain.iotlbSyncMap?.(TABLE, PAGE * BigInt(PAGES))
  scene.attach(domain, scene.device)
  scene.breakDriver()
  return { scene, domain }
}

/** The sentences that a change breaks. */
const broken = (stage: Stage, change: (stage: Stage) => void): Sentence[] => {
  const { during, after, free } = stage.scene.adversary.watch(() => change(stage))
  return [...new Set([...during, ...after, ...free].map(({ sentence }) => sentence))].sort()
}

const unmapAll = (domain: PagingDomain, gather: Gather): void => void domain.unmapPages(TABLE, PAGE, PAGES, gather)
const gatherOf = (iova: bigint, size: bigint): Gather => {
  const gather = createGather()
  gatherAdd(gather, iova, size, PAGE)
  return gather
}

const changed = (change: Partial<Programming>): NonNullable<Setup['createDriver']> =>
  (machines, { warn, broken: isBroken = () => true }) => driverOver(machines, warn, 46, {
    programming: {
      ...programming,
      flushPages: (...args) => (isBroken() ? change.flushPages ?? programming.flushPages : programming.flushPages)(...args),
      flushDevicePages: (...args) =>
        (isBroken() ? change.flushDevicePages ?? programming.flushDevicePages : programming.flushDevicePages)(...args),
    },
  })

/** IH=1, whatever was put out of use. */
const leavesOnly = changed({
  flushPages: (tag, start, end, _leavesOnly, capabilities) => programming.flushPages(tag, start, end, true, capabilities),
})

interface Case {
  readonly does: string
  readonly change: (stage: Stage) => void
  /** With CM=0 and CM=1; the same where one is given. */
  readonly breaks: readonly Sentence[]
  readonly breaksCaching?: readonly Sentence[]
  readonly createDriver?: Setup['createDriver']
  readonly only?: 'first-stage-4' | 'second-stage-4'
}

const unmapLeaf: Case['change'] = ({ domain }) => unmap(domain, TABLE, 1)
const unmapTable: Case['change'] = ({ domain }) => {
  const gather = createGather()
  unmapAll(domain, gather)
  domain.iotlbSync?.(gather)
}

/** Gives the table page of a gather back before the flush, and lets somebody write into it. */
const early = (reuse: boolean): Case['change'] => ({ domain, scene: { machine } }) => {
  const gather = createGather()
  unmapAll(domain, gather)
  const [table] = gather.freed.splice(0)
  machine.memory.pages.free(frameOf(table as bigint))
  if (reuse) {
    const frame = machine.memory.pages.allocate() as number
    machine.memory.store64(frameAddress(frame), OTHER | 0x67n)
  }
  // As the driver would with the table still in the gather: paging structures go too.
  domain.flushIotlbAll?.()
}

/** Links a table by hand that somebody else has used before: in the right order, or before it is filled. */
const link = (filledFirst: boolean): Case['change'] => ({ domain, scene: { machine } }) => {
  const { memory } = machine
  const frame = memory.pages.allocate() as number
  const table = frameAddress(frame)
  memory.store64(table, OTHER | 0x67n)
  const step = machine.walk(probe(NEXT)).steps.at(-1)
  const fill = (): void => memory.store64(table, (TO + 0x80_0000n) | 0x67n)
  if (filledFirst) fill()
  memory.order()
  memory.store64(step?.address as bigint, table | 0x67n)
  if (!filledFirst) fill()
  domain.iotlbSyncMap?.(NEXT, PAGE)
}

const cases: readonly Case[] = [
  { does: 'unmap of a leaf', change: unmapLeaf, breaks: [] },
  { does: 'unmap of a table', change: unmapTable, breaks: [] },
  { does: 'map over nothing', change: ({ domain }) => map(domain, NEXT, OTHER), breaks: [] },
  { does: 'replacement of a leaf', change: ({ domain }) => { unmap(domain, TABLE, 1); map(domain, TABLE, OTHER) }, breaks: [] },
  {
    does: 'unmap without a flush',
    change: ({ domain }) => void domain.unmapPages(TABLE, PAGE, 1, createGather()), breaks: ['after'],
  },
  {
    does: 'replacement without a flush',
    change({ domain }) {
      domain.unmapPages(TABLE, PAGE, 1, createGather())
      domain.mapPages(TABLE, OTHER, PAGE, 1, RW)
    },
    breaks: ['after'],
  },
  {
    does: 'flush before the store',
    change({ domain }) {
      domain.iotlbSync?.(gatherOf(TABLE, PAGE))
      domain.unmapPages(TABLE, PAGE, 1, createGather())
    },
    breaks: ['after'],
  },
  { does: 'table page freed before the flush', change: early(false), breaks: ['free'] },
  { does: 'table page reused before the flush', change: early(true), breaks: ['during', 'free'] },
  {
    does: 'flush that says only leaves changed (IH=1), although a table was freed',
    createDriver: leavesOnly,
    // Nothing leads to a wrong page yet; the table is given back while a kept pointer leads into it.
    change: unmapTable, breaks: ['free'],
  },
  {
    does: 'the same, and the table page is used again',
    createDriver: leavesOnly,
    change(stage) {
      unmapTable(stage)
      const { memory } = stage.scene.machine
      memory.store64(frameAddress(memory.pages.allocate() as number), OTHER | 0x67n)
    },
    // What the kept pointer leads to now is no outcome of any table.
    breaks: ['after', 'during', 'free'],
  },
  {
    does: 'map over nothing without a flush',
    // Second-stage entries that were absent are kept in caching mode; first-stage ones never (section 6.1).
    change: ({ domain }) => void domain.mapPages(NEXT, OTHER, PAGE, 1, RW), only: 'second-stage-4', breaks: [], breaksCaching: ['after'],
  },
  { does: 'link to a table that is filled', change: link(true), breaks: [] },
  { does: 'link to a table before it is filled', change: link(false), breaks: ['after', 'during'], only: 'first-stage-4' },
  {
    does: 'link to a second-stage table before it is filled', change: link(false), only: 'second-stage-4',
    // The flush that caching mode asks for after a map takes the garbage away again.
    breaks: ['after', 'during'], breaksCaching: ['during'],
  },
]

describe.each(['first-stage-4', 'second-stage-4'] as const)('%s', (format) => {
  describe.each([false, true])('caching mode %s', (cachingMode) => {
    test.each(cases.filter(({ only }) => only === undefined || only === format).map((each) => [each.does, each] as const))('%s', (_does, each) => {
      const setup = { profile: { cachingMode }, ...(each.createDriver === undefined ? {} : { createDriver: each.createDriver }) }
      const found = broken(prepare(format, setup, [probe(TABLE), probe(NEXT)]), each.change)
      expect(found).toEqual(cachingMode ? each.breaksCaching ?? each.breaks : each.breaks)
    })
  })
})

/** Invalidations of the device's own TLB against those of the IOTLB: which of the two, in which order, with how many waits. */
const tlb = { source: 0x20, queueDepth: 31 }
const elsewhere = (): ReturnType<Programming['flushDevicePages']> => programming.flushDevicePages({ ...tlb, source: 0x28 }, 0, FAR, FAR)
const oneWait = (deviceFirst: boolean): Partial<Programming> => ({
  flushPages: (tag, start, end, leavesOnly, capabilities) => {
    const pages = programming.flushPages(tag, start, end, leavesOnly, capabilities)
    const device = programming.flushDevicePages(tlb, 0, start, end)
    return deviceFirst ? [device, ...pages] : [...pages, device]
  },
  flushDevicePages: elsewhere,
})
type Order = readonly [does: string, change: Partial<Programming>, queue: QueueOrder, breaks: readonly Sentence[]]
const orders: readonly Order[] = [
  ['IOTLB, wait, device TLB, wait', {}, 'unordered', []],
  ['one wait for both, as the unit orders them', oneWait(false), 'vendor', []],
  ['one wait for both, and nothing orders them', oneWait(false), 'unordered', ['after']],
  ['device TLB first', oneWait(true), 'ordered', ['after']],
  ['no IOTLB', { flushPages: () => [] }, 'vendor', ['after']],
  ['no device TLB', { flushDevicePages: elsewhere }, 'vendor', ['after']],
]

describe('a device with a TLB of its own', () => {
  test.each(orders)('%s', (_does, change, queue, breaks) => {
    const setup: Setup = { ats: true, options: { queue }, createDriver: changed(change) }
    const found = broken(prepare('second-stage-4', setup, [probe(TABLE), probe(TABLE, 'translate')]), unmapLeaf)
    expect(found).toEqual(breaks)
  })
})

describe('flushes of pages are judged', () => {
  const verdicts = (setup: Setup, change: Case['change']): string[] => {
    const stage = prepare('second-stage-4', setup, [probe(TABLE), probe(TABLE + PAGE)])
    stage.scene.adversary.watch(() => change(stage))
    return stage.scene.adversary.invalidations().map(({ verdict, stale, tooWide }) => `${verdict}, ${stale} stale, ${tooWide} too many`)
  }
  test('one page, one leaf', () => expect(verdicts({}, unmapLeaf)).toEqual(['needed, 1 stale, 0 too many']))
  // Three pointers on the way down, and the other page.
  test('a unit that flushes by domain only', () =>
    expect(verdicts({ profile: { pageSelective: false } }, unmapLeaf)).toEqual(['needed, 1 stale, 4 too many']))
  test('nothing has changed', () =>
    expect(verdicts({}, ({ domain }) => domain.iotlbSync?.(gatherOf(TABLE, PAGE)))).toEqual(['needless, 0 stale, 1 too many']))
  // Nobody has asked for that page. Two pointers above it go, since the flush does not say that only leaves changed.
  test('a page that comes, in caching mode', () =>
    expect(verdicts({ profile: { cachingMode: true } }, ({ domain }) => map(domain, NEXT, OTHER))).toEqual(['mandated, 0 stale, 2 too many']))
})
