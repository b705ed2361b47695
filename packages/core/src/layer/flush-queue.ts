// Device addresses of a default domain, and the queue in which unmapped ones wait for a flush of everything.
import type { Domain, PagingDomain } from '../contract/domain.js'
import { isPaging } from '../contract/domain.js'
import type { CoreContext } from './context.js'
import type { GroupState, MemberState } from './group.js'
import type { IovaRange, IovaSpace } from './iova.js'
import { createIovaSpace, freeIova } from './iova.js'
import { smallestPage } from './page-size.js'

/** Addresses that wait at most (Linux, `IOVA_DEFAULT_FQ_SIZE`; there one ring for each CPU). */
const RING_SIZE = 256

export interface DmaSpace {
  readonly domain: PagingDomain
  readonly addresses: IovaSpace
  readonly waiting: IovaRange[]
}

const reserve = (space: DmaSpace, member: MemberState): void => {
  for (const { start, length, kind } of member.regions) {
    // Where the doorbell goes is the core's own choice.
    if (kind !== 'software-msi') space.addresses.reserved.push({ start, end: start + length - 1n })
  }
}

/** Made at the first use of a domain by the DMA API. */
export const dmaSpaceOf = (core: CoreContext, group: GroupState, domain: PagingDomain): DmaSpace => {
  const known = core.dmaSpaces.get(domain)
  if (known) return known
  const addresses = createIovaSpace(smallestPage(domain.pageSizes), domain.aperture)
  const space: DmaSpace = { domain, addresses, waiting: [] }
  for (const member of group.members) reserve(space, member)
  core.dmaSpaces.set(domain, space)
  return space
}

/** A device that joins later keeps its regions out of what is handed out from now on. */
export const reserveForMember = (core: CoreContext, domain: Domain, member: MemberState): void => {
  const space = core.dmaSpaces.get(domain)
  if (space) reserve(space, member)
}

/** One flush for all that wait; only then are their addresses free (Linux, `fq_ring_free_locked`). */
export const flushQueue = (space: DmaSpace): void => {
  if (space.waiting.length === 0) return
  space.domain.flushIotlbAll?.()
  for (const { start } of space.waiting.splice(0)) freeIova(space.addresses, start)
}

/** Strict: the range has been flushed, and its address is free at once. Queued: it waits. */
export const retireIova = (core: CoreContext, space: DmaSpace, range: IovaRange, queued: boolean): void => {
  if (!queued) {
    freeIova(space.addresses, range.start)
    return
  }
  if (space.waiting.length >= RING_SIZE) core.steps.flushQueue(space)
  range.queued = true
  space.waiting.push(range)
}

/** Frees a domain of the core's own. The driver may still keep table pages for the flush of everything. */
export const discardDomain = (core: CoreContext, domain: Domain): void => {
  const space = isPaging(domain) ? core.dmaSpaces.get(domain) : undefined
  if (space) flushQueue(space)
  core.dmaSpaces.delete(domain)
  domain.free?.()
}
