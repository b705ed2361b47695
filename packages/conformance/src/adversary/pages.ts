// Maps, unmaps and flushes of a domain that a device uses meanwhile, each watched step by step.
import { createGather } from '@iommu/core'
import type { PagingDomain } from '@iommu/core'
import { READ_WRITE } from '../bench.js'
import type { Answer } from '../bench.js'
import { sizesOf } from '../formats.js'
import { addressesOf, formatsFor, isOverPasids } from '../states.js'
import type { Case } from '../statement.js'
import { changeOf, createLedger } from './account.js'
import type { Account, Ledger } from './account.js'
import { createScene, OWN_PASID, probesAt } from './scene.js'
import type { Scene } from './scene.js'

/** Pages of the run that fills one table of most formats. */
const RUN = 512
/** Words of a page that somebody else writes once it has been given back. */
const REUSED_WORDS = 16n
/** Where the pages lie: the run, a page that comes and goes, a page that stays. */
const PHYSICAL = { run: 0x400_0000n, lone: 0x500_0000n, other: 0x510_0000n, large: 0x600_0000n, stays: 0x520_0000n } as const

interface Stage {
  readonly scene: Scene
  readonly ledger: Ledger
  readonly format: string
  readonly domain: PagingDomain
  /** Bytes of the smallest page. */
  readonly page: bigint
  /** The run's first address, the lone page's, and that of the page that stays. */
  readonly run: bigint
  readonly lone: bigint
  readonly stays: bigint
}

/** Watches a change that concerns `address`, which then answers `expected`. */
const change = ({ scene: { adversary, ats }, ledger, format }: Stage, what: string, address: bigint, expected: Answer, run: () => void): void => {
  const verdict = adversary.watch(run)
  ledger.rest(adversary.atRest())
  const found = changeOf(`${format}: ${what}${ats ? ', ATS on' : ''}`, verdict, (probe) => probe.address === address)
  const answers = verdict.to.filter((_, index) => verdict.probes[index]?.address === address && verdict.probes[index]?.kind === 'untranslated')
  const wrong = answers.some((each) => (each.result === 'translated' ? each.address : 'blocked') !== expected)
  ledger.changes.push(wrong ? { ...found, after: ['return: the tables do not say what was asked', ...found.after] } : found)
  ledger.judge(what, adversary.invalidations())
}

const map = (domain: PagingDomain, iova: bigint, physical: bigint, size: bigint, pages = 1): void => {
  const { mapped, error } = domain.mapPages(iova, physical, size, pages, READ_WRITE)
  if (error !== undefined) throw error
  domain.iotlbSyncMap?.(iova, mapped)
}

const unmap = (domain: PagingDomain, iova: bigint, size: bigint, pages = 1): void => {
  const gather = createGather()
  domain.unmapPages(iova, size, pages, gather)
  domain.iotlbSync?.(gather)
}

/** Somebody else gets the pages that were given back, and writes what suits him. */
const reuse = ({ scene: { bench: { machine } } }: Stage, lure: bigint): void => {
  const frame = machine.memory.pages.allocate()
  if (frame === undefined) return
  const page = BigInt(frame) << 12n
  for (let word = 0n; word < REUSED_WORDS; word++) machine.memory.store64(page + word * 8n, lure)
  machine.memory.order()
  machine.memory.writeBack(page, 4096)
  machine.memory.pages.free(frame)
}

const changes = (stage: Stage, lure: bigint): void => {
  const { domain, page, run, lone } = stage
  change(stage, 'a page is mapped where nothing was', lone, PHYSICAL.lone, () => map(domain, lone, PHYSICAL.lone, page))
  change(stage, 'a page is replaced', lone, PHYSICAL.other, () => {
    unmap(domain, lone, page)
    map(domain, lone, PHYSICAL.other, page)
  })
  change(stage, 'a page is unmapped', lone, 'blocked', () => unmap(domain, lone, page))
  change(stage, 'a whole table is unmapped, and its memory used again', run, 'blocked', () => {
    unmap(domain, run, page, RUN)
    reuse(stage, lure)
  })
  const large = sizesOf(domain).find((size) => size > page && size <= page * BigInt(RUN) && run % size === 0n)
  if (large !== undefined) {
    change(stage, 'a large page is mapped where a table was', run, PHYSICAL.large, () => map(domain, run, PHYSICAL.large, large))
    change(stage, 'a large page is unmapped', run, 'blocked', () => unmap(domain, run, large))
  }
  map(domain, run, PHYSICAL.run, page, RUN)
  change(stage, 'unmaps are queued, and everything is flushed', run, 'blocked', () => {
    domain.unmapPages(run, page, RUN, createGather(true))
    domain.flushIotlbAll?.()
    reuse(stage, lure)
  })
}

/** All changes, with the domain on the requester id and, where it can be, on a PASID. */
export const walkPages = (t: Case, ats: boolean): Account | undefined => {
  let copies = 0
  let observations = 0
  const ledger = createLedger()
  for (const format of formatsFor(t.manifest, 'rid')) {
    if (ledger.hasEnough) break
    const scene = createScene(t, ats)
    if (scene === undefined) return undefined
    const { adversary, bench, device } = scene
    const onPasid = t.manifest.maxPasids > 0 && formatsFor(t.manifest, 'pasid').includes(format) && isOverPasids(t.manifest, format)
    const domain = bench.paging(device, format, onPasid)
    const page = domain.pageSizes & -domain.pageSizes
    const { base } = addressesOf(t.backend)
    const span = page * BigInt(RUN)
    const stage: Stage = { scene, ledger, format, domain, page, stays: base, run: base + span, lone: base + 2n * span }
    if (stage.lone + page - 1n > domain.aperture.end) continue
    map(domain, stage.stays, PHYSICAL.stays, page)
    map(domain, stage.run, PHYSICAL.run, page, RUN)
    domain.attachDev(device, undefined)
    if (onPasid) domain.setDevPasid?.(device, OWN_PASID, undefined)
    const points = onPasid ? [undefined, OWN_PASID] : [undefined]
    adversary.track(...points.flatMap((pasid) =>
      [stage.run, stage.lone, stage.stays].flatMap((address) => probesAt(scene, pasid, address))))
    changes(stage, t.backend.lure ?? 0n)
    adversary.stop()
    copies += adversary.cost.copies
    observations += adversary.cost.observations
  }
  return ledger.account(copies, observations)
}
