// The core layer's face: what VFIO, iommufd, the DMA API and device drivers call.
import type { Access, Device, Pasid, ReservedRegion } from '../contract/device.js'
import type { AddressSpace, Domain, PagingDomain } from '../contract/domain.js'
import type { IommuOps, PagingRequest } from '../contract/driver.js'
import type { Gather } from '../contract/gather.js'

/** What a group's default domain is: 1:1, translated with strict flushes, or translated with a flush queue. */
export type DefaultType = 'identity' | 'dma' | 'dma-fq'

/** What is decided outside of the core: the kernel's command line and configuration. */
export interface CoreOptions {
  /** The global default (Linux, `iommu.passthrough` and `iommu.strict`). 'dma' where absent. */
  readonly defaultType?: DefaultType
  /** Whether default domains can translate at all (Linux, CONFIG_IOMMU_DMA). True where absent. */
  readonly dmaApi?: boolean
  /** Told of every warning: what Linux would WARN or log about. */
  readonly warn?: (sentence: string) => void
}

/** A set of devices that cannot be isolated from each other, and what its translation points have. */
export interface Group {
  readonly key: string
  readonly devices: readonly Device[]
  readonly defaultType: DefaultType
  readonly defaultDomain: Domain | undefined
  /** The domain that faults everything: the driver's static one, or the empty stand-in. Resolved when first needed. */
  readonly blockingDomain: Domain | undefined
  /** What the RIDs have. */
  readonly domain: Domain | undefined
  readonly pasids: ReadonlyMap<Pasid, Domain>
  /** Who has claimed the group's DMA. */
  readonly owner: object | undefined
  /** Native drivers and owners that use the group. */
  readonly ownerCount: number
  /** Devices in reset. */
  readonly recoveryCount: number
}

/** Ties an attachment to who asked for it; found by the page-request path. */
export interface AttachHandle {
  /** Set by the core, when everything has succeeded. */
  domain?: Domain
}

/** A bond between a device and an address space. */
export interface SvaBond {
  readonly device: Device
  readonly space: AddressSpace
  readonly pasid: Pasid
}

/**
 * The core layer over one driver. Every method throws IommuError and then has changed nothing, unless it says
 * otherwise. After Linux 7.3.4, drivers/iommu/iommu.c.
 */
export interface Core {
  readonly ops: IommuOps

  /** Finds the group, chooses the default domain, maps reserved regions, attaches (`iommu_probe_device`). */
  probeDevice(device: Device): void
  /** Attaches the release domain, then releases (`iommu_deinit_device`). */
  releaseDevice(device: Device): void
  /** The device's group. ENODEV before probe. */
  group(device: Device): Group
  readonly groups: readonly Group[]

  allocPaging(device: Device, request?: PagingRequest): PagingDomain
  freeDomain(domain: Domain): void

  /** A group of one device only: EINVAL otherwise (`iommu_attach_device`). */
  attachDevice(domain: Domain, device: Device): void
  /** Cannot fail; warns and does nothing where `domain` is not the current one. */
  detachDevice(domain: Domain, device: Device): void
  /** Only from the default or the blocking domain: EBUSY otherwise (`iommu_attach_group`). */
  attachGroup(domain: Domain, group: Group): void
  /** Sets the core's own domain: blocking if owned, default if not. Cannot fail. */
  detachGroup(group: Group): void
  /** From any domain to any, with nothing in between (`iommu_replace_group_handle`). */
  replaceGroup(domain: Domain, group: Group, handle?: AttachHandle): void

  /** Exclusive; switches the group to blocking. EPERM if anyone is there, EBUSY if not on default or PASIDs live. */
  claimGroup(group: Group, owner: object): void
  releaseGroup(group: Group): void
  /** May be shared by the same owner. */
  claimDevice(device: Device, owner: object): void
  releaseDeviceClaim(device: Device): void
  /** A native driver starts to use the default domain (`iommu_device_use_default_domain`). */
  useDefaultDomain(device: Device): void
  unuseDefaultDomain(device: Device): void
  /** Changes the default domain's type (sysfs `type`). EBUSY while a driver is bound, except dma -> dma-fq. */
  setDefaultType(group: Group, type: DefaultType): void

  attachPasid(domain: Domain, device: Device, pasid: Pasid, handle?: AttachHandle): void
  replacePasid(domain: Domain, device: Device, pasid: Pasid, handle: AttachHandle): void
  /** Cannot fail. */
  detachPasid(domain: Domain, device: Device, pasid: Pasid): void
  /** The handle at a PASID: ENOENT without one, also while its attach is under way. */
  attachHandle(group: Group, pasid: Pasid): AttachHandle

  /** One PASID per address space for all devices; a second bind only counts (`iommu_sva_bind_device`). */
  bindSva(device: Device, space: AddressSpace): SvaBond
  unbindSva(bond: SvaBond): void

  /** RID to blocking, then the flag, then the PASIDs (`pci_dev_reset_iommu_prepare`). Nests. */
  prepareReset(device: Device): void
  /** RID, flag, PASIDs, each from blocking to what the group has now. A surplus call warns. */
  finishReset(device: Device): void

  /** The first DMA map of a deferred device attaches its default domain (`iommu_deferred_attach`). */
  deferredAttach(device: Device): void

  /** Maps and syncs. On failure nothing of the range stays mapped (`iommu_map`). */
  map(domain: Domain, iova: bigint, physical: bigint, size: bigint, access: Access): void
  /** Unmaps and syncs; bytes unmapped (`iommu_unmap`). */
  unmap(domain: Domain, iova: bigint, size: bigint): bigint
  /** Unmaps and leaves the sync to `sync` or to a queue (`iommu_unmap_fast`). */
  unmapFast(domain: Domain, iova: bigint, size: bigint, gather: Gather): bigint
  /** What a gather still owes (`iommu_iotlb_sync`). */
  sync(domain: Domain, gather: Gather): void
  /** Identity answers the address itself, blocked answers nothing, without asking the driver. */
  iovaToPhys(domain: Domain, iova: bigint): bigint | undefined

  reservedRegions(device: Device): readonly ReservedRegion[]

  /** The DMA API of a device on its default domain. */
  dma(device: Device): DmaApi
}

/** What a device driver maps buffers with, on the group's default domain (Linux, dma-iommu.c). */
export interface DmaApi {
  /** Returns the device address of the buffer. Attaches first where the attach was deferred. */
  map(physical: bigint, size: bigint, access: Access): bigint
  /** Strict: unmapped and flushed on return. With a flush queue: the address is reused only after a flush of all. */
  unmap(iova: bigint, size: bigint): void
  /** Flushes the queue now (Linux does it after 10 ms, or when the ring is full). */
  flush(): void
  /** Unmapped ranges that still wait for the flush. */
  readonly queued: number
}
