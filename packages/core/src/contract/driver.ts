// IommuOps: what an IOMMU driver offers. Linux's `iommu_ops`, as 7.3.4 has it.
import type { Device, ReservedRegion } from './device.js'
import type {
  AddressSpace, BlockedDomain, Domain, IdentityDomain, PagingDomain, SvaDomain,
} from './domain.js'
import type { Manifest } from './manifest.js'
import type { DirtyOps, NestedRequest, PageResponse } from './later.js'

/** What `capable` can be asked (Linux, `enum iommu_cap`). */
export type Capability =
  | 'cache-coherency'
  | 'no-execute'
  | 'pre-boot-protection'
  | 'enforce-cache-coherency'
  | 'deferred-flush'
  | 'dirty-tracking'
  | 'ats'

/** What a paging domain is to be good for. An unknown format or an impossible wish is EOPNOTSUPP. */
export interface PagingRequest {
  /** It will be set on PASIDs (Linux, `IOMMU_HWPT_ALLOC_PASID`). */
  readonly pasid?: boolean
  /** One of the manifest's formats. Absent: the driver's own choice for this device. */
  readonly format?: string
  readonly dirtyTracking?: boolean
  readonly nestParent?: boolean
}

/** The default domain types that a driver can ask for. Blocked cannot be expressed. */
export type DefaultDomainType = 'identity' | 'dma'

/**
 * An IOMMU driver. Members that are objects (`blockedDomain`, ...) are the same object for the driver's life.
 * All calls on one group come one at a time; map and unmap may come at any time.
 */
export interface IommuOps {
  readonly manifest: Manifest
  /** Marks the domains that this driver allocates. */
  readonly owner: symbol

  /** Always attachable, and its attach never fails. Needed before any PASID is accepted. */
  readonly blockedDomain?: BlockedDomain
  /** Always available; attach is EINVAL on hardware that cannot bypass. */
  readonly identityDomain?: IdentityDomain
  /** Attached just before `releaseDevice`, unless the attach is still deferred. */
  readonly releaseDomain?: Domain
  /** Legacy: if set it is always the default domain. */
  readonly defaultDomain?: Domain

  capable?(device: Device, capability: Capability): boolean
  /** Consulted only where there is no `identityDomain`. */
  domainAllocIdentity?(device: Device): IdentityDomain
  /** Throws EOPNOTSUPP for a wish that it cannot fulfil, ENOMEM, ENOSPC. */
  domainAllocPaging?(device: Device, request: PagingRequest): PagingDomain
  domainAllocSva?(device: Device, space: AddressSpace): SvaDomain
  domainAllocNested?(device: Device, request: NestedRequest): Domain

  /** Throws ENODEV for "not mine". Leaves the live translation as the firmware left it, or blocked. */
  probeDevice(device: Device): void
  /** Stops using every domain of the device. Cannot fail. */
  releaseDevice?(device: Device): void
  /** After the default domain is attached: PASID, then ATS, then PRI are enabled on the device. */
  probeFinalize?(device: Device): void
  /** Devices with equal keys are one group. */
  deviceGroup(device: Device): string
  getResvRegions?(device: Device): readonly ReservedRegion[]
  /** Translation was live before the driver came (kdump); asked once, at probe. */
  isAttachDeferred?(device: Device): boolean
  /** undefined: no opinion. */
  defDomainType?(device: Device): DefaultDomainType | undefined
  /** PASIDs usable on this device: the lesser of device and IOMMU; 0: none. */
  maxPasids?(device: Device): number

  pageResponse?(device: Device, response: PageResponse): void
  readonly dirtyOps?: DirtyOps
}
