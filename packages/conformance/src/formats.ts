// Every paging format in turn, each on a fresh bench with its domain attached to all devices.
import type { PagingDomain } from '@iommu/core'
import type { Bench } from './bench.js'
import { notDeclared } from './check.js'
import { formatsFor } from './states.js'
import type { Case } from './statement.js'

/** The formats of requester ids; where there are none the statement does not take part. */
export const declaredFormats = ({ manifest }: Case): readonly string[] => {
  const formats = formatsFor(manifest, 'rid')
  return formats.length === 0 ? notDeclared('paging domains') : formats
}

export const eachFormat = (t: Case, look: (bench: Bench, domain: PagingDomain, format: string) => void): void => {
  for (const format of declaredFormats(t)) {
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

/** The smallest page of a domain in bytes. */
export const pageOf = ({ pageSizes }: PagingDomain): bigint => pageSizes & -pageSizes

/** The page sizes that can be mapped at an address. */
export const sizesAt = (domain: PagingDomain, address: bigint): bigint[] =>
  sizesOf(domain).filter((size) => address % size === 0n && address + size - 1n <= domain.aperture.end)
