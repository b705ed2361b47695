// A domain on devices behind two units, each with caches of its own: what changes in its tables has to reach both.
import { createGather, errorCode } from '@iommu/core'
import type { PagingDomain } from '@iommu/core'
import type { Adversary, DmaRequest, Verdict } from '@iommu/hardware'
import { READ_WRITE } from '../bench.js'
import { addressesOf, formatsFor } from '../states.js'
import type { Case } from '../statement.js'
import { changeOf, createLedger } from './account.js'
import type { Account } from './account.js'

const SOURCES = [0x20, 0x28] as const
/** Pages that fill one table of most formats, so that unmapping them gives a table back. */
const RUN = 512

/** Watches a change on every unit at once. */
const watchAll = ([first, ...others]: readonly Adversary[], run: () => void): Verdict[] => {
  if (first === undefined) {
    run()
    return []
  }
  let rest: Verdict[] = []
  const verdict = first.watch(() => {
    rest = watchAll(others, run)
  })
  return [verdict, ...rest]
}

const unmapped = (domain: PagingDomain, iova: bigint, page: bigint, pages: number): void => {
  const gather = createGather()
  domain.unmapPages(iova, page, pages, gather)
  domain.iotlbSync?.(gather)
}

/** undefined: no adversarial mode, no format that both units take, or with ATS, which changes nothing about units. */
export const walkUnits = (t: Case, ats: boolean): Account | undefined => {
  if (ats) return undefined
  const ledger = createLedger()
  let copies = 0
  let observations = 0
  for (const format of formatsFor(t.manifest, 'rid')) {
    if (ledger.hasEnough) break
    const bench = t.bench({ devices: SOURCES.map((requesterId, unit) => ({ requesterId, unit })), adversary: {} })
    const { adversaries, devices } = bench
    if (adversaries.length === 0) return undefined
    bench.probe(...devices)
    const [first] = devices
    if (first === undefined) return undefined
    const domain = bench.paging(first, format)
    const page = domain.pageSizes & -domain.pageSizes
    const { base, target } = addressesOf(t.backend)
    const [run, lone] = [base, base + page * BigInt(RUN)]
    if (lone + page - 1n > domain.aperture.end) continue
    const map = (iova: bigint, physical: bigint, pages: number): void => {
      const { mapped, error } = domain.mapPages(iova, physical, page, pages, READ_WRITE)
      if (error !== undefined) throw error
      domain.iotlbSyncMap?.(iova, mapped)
    }
    try {
      for (const device of devices) domain.attachDev(device, undefined)
    } catch (error) {
      // The other unit does not take every format of the first.
      if (errorCode(error) !== 'EINVAL') throw error
      continue
    }
    map(run, target, RUN)
    map(lone, target + page * BigInt(RUN), 1)
    adversaries.forEach((adversary, unit) => adversary.track(...[run, lone].map((address): DmaRequest =>
      ({ source: SOURCES[unit] as number, kind: 'untranslated', address, access: 'read' }))))
    const change = (what: string, address: bigint, does: () => void): void => {
      watchAll(adversaries, does).forEach((verdict, unit) => {
        ledger.changes.push(changeOf(`${format}: ${what}, seen from unit ${unit}`, verdict, (probe) => probe.address === address))
      })
      for (const adversary of adversaries) {
        ledger.rest(adversary.atRest())
        ledger.judge(`${format}: ${what}`, adversary.invalidations())
      }
    }
    change('a page is replaced', lone, () => {
      unmapped(domain, lone, page, 1)
      map(lone, target, 1)
    })
    change('a page is unmapped', lone, () => unmapped(domain, lone, page, 1))
    change('a whole table is unmapped', run, () => unmapped(domain, run, page, RUN))
    map(run, target, RUN)
    change('unmaps are queued, and everything is flushed', run, () => {
      domain.unmapPages(run, page, RUN, createGather(true))
      domain.flushIotlbAll?.()
    })
    for (const { cost, stop } of adversaries) {
      stop()
      copies += cost.copies
      observations += cost.observations
    }
  }
  return ledger.changes.length === 0 ? undefined : ledger.account(copies, observations)
}
