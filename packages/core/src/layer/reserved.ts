// Reserved regions: what the firmware wants mapped 1:1, and making those mappings.
import type { IommuError } from '../errors.js'
import type { Device, ReservedRegion } from '../contract/device.js'
import type { Domain, PagingDomain } from '../contract/domain.js'
import { isPaging } from '../contract/domain.js'
import type { IommuOps } from '../contract/driver.js'
import type { CoreContext } from './context.js'
import type { MemberState } from './group.js'
import { smallestPage } from './page-size.js'
import { attempt } from './refusal.js'

/** The driver's answer, else what the firmware says of the device. */
export const findRegions = (ops: IommuOps, device: Device): readonly ReservedRegion[] =>
  ops.getResvRegions?.(device) ?? device.reserved ?? []

/** Mapped in default domains; users of a relaxable region may leave it out of theirs. */
export const isDirect = ({ kind }: ReservedRegion): boolean => kind === 'direct' || kind === 'direct-relaxable'

const alignUp = (value: bigint, page: bigint): bigint => (value + page - 1n) & ~(page - 1n)

/** The runs of pages of a region that nothing is mapped in. Both ends are aligned up, as Linux does it. */
function* unmappedRuns(
  domain: PagingDomain, region: ReservedRegion,
): Generator<{ readonly start: bigint; readonly size: bigint }> {
  const page = smallestPage(domain.pageSizes)
  const end = alignUp(region.start + region.length, page)
  let run = alignUp(region.start, page)
  for (let at = run; at < end; at += page) {
    if (domain.iovaToPhys(at) === undefined) continue
    if (at > run) yield { start: run, size: at - run }
    run = at + page
  }
  if (end > run) yield { start: run, size: end - run }
}

/**
 * Makes a member's 1:1 mappings in a default domain that translates. Regions of several devices may overlap, so
 * what is mapped already is left alone (Linux, `iommu_create_device_direct_mappings`).
 */
export const mapDirectRegions = (core: CoreContext, domain: Domain, member: MemberState): IommuError | undefined => {
  if (!isPaging(domain)) return undefined
  return attempt(() => {
    for (const region of member.regions) {
      if (!core.steps.isDirect(region)) continue
      for (const { start, size } of unmappedRuns(domain, region)) {
        core.steps.map(core, domain, start, start, size, region.access)
      }
    }
  })
}
