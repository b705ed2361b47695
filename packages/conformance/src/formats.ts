// Every paging format in turn, each on a fresh bench with its domain attached to all devices.
import type { PagingDomain } from '@iommu/core'
import type { Bench } from './bench.js'
import type { Case } from './statement.js'

export const eachFormat = (t: Case, look: (bench: Bench, domain: PagingDomain, format: string) => void): void => {
  for (const format of t.manifest.formats) {
    const bench = t.bench()
    bench.probe(...bench.devices)
    const domain = bench.paging(bench.device, format)
    for (const device of bench.devices) domain.attachDev(device, undefined)
    look(bench, domain, format)
  }
}

/** The page sizes of a domain in bytes, smallest first. */
export const sizesOf = ({ pageSizes }: PagingDomain): bigint[] => {
  const all: bigint[] = []
  for (let size = 1n; size <= pageSizes; size <<= 1n) if ((pageSizes & size) !== 0n) all.push(size)
  return all
}
