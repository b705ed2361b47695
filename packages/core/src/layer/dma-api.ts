// The DMA API: buffers of a native driver, mapped in its group's default domain (Linux, dma-iommu.c).
import { IommuError } from '../errors.js'
import type { Access, Device } from '../contract/device.js'
import type { PagingDomain } from '../contract/domain.js'
import { isPaging } from '../contract/domain.js'
import { createGather } from '../contract/gather.js'
import type { CoreContext } from './context.js'
import { memberOf } from './context.js'
import { deferredAttach } from './deferred.js'
import type { DmaApi } from './face.js'
import type { DmaSpace } from './flush-queue.js'
import { dmaSpaceOf } from './flush-queue.js'
import type { GroupState } from './group.js'
import { allocateIova, freeIova, roundUp, takenAt } from './iova.js'
import { attempt } from './refusal.js'

/** undefined: addresses are handed out as they are. */
const translatingDefault = ({ key, defaultDomain }: GroupState): PagingDomain | undefined => {
  if (defaultDomain?.kind === 'identity') return undefined
  if (defaultDomain && isPaging(defaultDomain)) return defaultDomain
  throw new IommuError('EOPNOTSUPP', `the default domain of group ${key} is not one for the DMA API`, {
    kind: defaultDomain?.kind ?? 'none',
  })
}

/** Full of addresses that only wait for a flush is not yet full. */
const takeIova = (core: CoreContext, space: DmaSpace, size: bigint): bigint => {
  const start = allocateIova(space.addresses, size)
  if (start !== undefined) return start
  core.steps.flushQueue(space)
  const again = allocateIova(space.addresses, size)
  if (again === undefined) throw new IommuError('ENOSPC', 'no device addresses are left for a buffer', { size })
  return again
}

const mapBuffer = (core: CoreContext, space: DmaSpace, physical: bigint, size: bigint, access: Access): bigint => {
  const { granule } = space.addresses
  const offset = physical & (granule - 1n)
  const length = roundUp(offset + size, granule)
  const start = takeIova(core, space, length)
  const refused = attempt(() => core.steps.map(core, space.domain, start, physical - offset, length, access))
  if (refused) {
    freeIova(space.addresses, start)
    throw refused
  }
  return start + offset
}

const unmapBuffer = (core: CoreContext, space: DmaSpace, iova: bigint, size: bigint, queued: boolean): void => {
  const { granule } = space.addresses
  const offset = iova & (granule - 1n)
  const range = takenAt(space.addresses, iova - offset)
  const length = roundUp(offset + size, granule)
  if (!range || range.queued || range.end - range.start + 1n !== length) {
    throw new IommuError('EINVAL', 'no buffer is mapped at this device address with this size', { iova, size })
  }
  const gather = createGather(queued)
  const unmapped = core.steps.unmapFast(core, space.domain, range.start, length, gather)
  if (unmapped !== length) {
    core.warn(`0x${unmapped.toString(16)} bytes were unmapped for a buffer of 0x${length.toString(16)} bytes`)
  }
  if (!queued) core.steps.sync(space.domain, gather)
  core.steps.retireIova(core, space, range, queued)
}

/** Looks the group up at every call: its default domain may have been replaced. */
export const dmaApiOf = (core: CoreContext, device: Device): DmaApi => {
  memberOf(core, device)
  const spaceNow = (): DmaSpace | undefined => {
    const { group } = memberOf(core, device)
    const domain = translatingDefault(group)
    return domain && dmaSpaceOf(core, group, domain)
  }
  return {
    map(physical, size, access) {
      if (size <= 0n) throw new IommuError('EINVAL', 'a buffer has at least one byte', { physical })
      deferredAttach(core, device)
      const space = spaceNow()
      return space ? mapBuffer(core, space, physical, size, access) : physical
    },
    unmap(iova, size) {
      const space = spaceNow()
      const queued = memberOf(core, device).group.defaultType === 'dma-fq'
      if (space) unmapBuffer(core, space, iova, size, queued)
    },
    flush() {
      const space = spaceNow()
      if (space) core.steps.flushQueue(space)
    },
    get queued() {
      return spaceNow()?.waiting.length ?? 0
    },
  }
}
