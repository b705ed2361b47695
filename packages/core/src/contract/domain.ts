// A domain: one answer to "what happens to this DMA?", settable on any RID or PASID at any time.
import type { Access, Device, Pasid } from './device.js'
import type { Gather } from './gather.js'

/**
 * Kinds of domain. `paging` is Linux's UNMANAGED, DMA and DMA_FQ alike: they differ in who uses them, not in
 * what a driver does. `platform` is the legacy default of a driver without default domains.
 */
export type DomainKind = 'blocked' | 'identity' | 'paging' | 'sva' | 'nested' | 'platform'

/** What all domains have. There is no detach: leaving a domain is setting another one. */
export interface Domain {
  readonly kind: DomainKind
  /**
   * The `owner` token of the driver that made it. Static singletons (blocked, identity) have none: they are
   * known by being the same object as the driver's member (Linux, `domain_iommu_ops_compatible`).
   */
  readonly owner?: symbol
  /**
   * Switches the requests without PASID of `device` from `old` to this domain.
   *
   * `old` is what the core believes is live: undefined on the first attach, the failed domain in an unwind,
   * and it may be this domain itself. In the middle DMA may see `old`, this domain or a fault, nothing else.
   * Blocked domains never fail. All others may throw IommuError: EINVAL (incompatible, nothing was changed),
   * ENOMEM, ENOSPC, EBUSY or ENODEV. Absent on domains that only PASIDs can have (Linux, `attach_dev`).
   */
  attachDev?(device: Device, old: Domain | undefined): void
  /**
   * Sets this domain on one PASID, from nothing (`old` undefined or blocked) or instead of `old`.
   * On error the PASID keeps what it had, bit for bit. On the blocked domain it is "remove" and never fails
   * (Linux, `set_dev_pasid`).
   */
  setDevPasid?(device: Device, pasid: Pasid, old: Domain | undefined): void
  /** Gives back everything the domain holds. Absent on static singletons. No device is attached any more. */
  free?(): void
}

/** The static domain in which every DMA faults, and whose setting cannot fail. */
export interface BlockedDomain extends Domain {
  readonly kind: 'blocked'
  attachDev(device: Device, old: Domain | undefined): void
}

/** The domain in which every address is itself. */
export interface IdentityDomain extends Domain {
  readonly kind: 'identity'
  attachDev(device: Device, old: Domain | undefined): void
}

/** How far a map came. `mapped` is exact, also where `error` is set. */
export interface MapResult {
  /** Bytes that are now mapped, from the start of the call's range. */
  readonly mapped: bigint
  readonly error?: Error
}

/** A domain with page tables of its own. Maps before the first attach are live at the attach. */
export interface PagingDomain extends Domain {
  readonly kind: 'paging'
  readonly owner: symbol
  /** Page sizes in bytes that `mapPages` takes, one bit each (Linux, `pgsize_bitmap`). Never 0. */
  readonly pageSizes: bigint
  /** First and last device address, both inclusive. */
  readonly aperture: { readonly start: bigint; readonly end: bigint }
  /** Whether `setDevPasid` takes this domain on PASIDs (Linux, `IOMMU_HWPT_ALLOC_PASID`). */
  readonly pasidCapable: boolean
  attachDev(device: Device, old: Domain | undefined): void
  /**
   * Maps `count` pages of `pageSize` bytes. `pageSize` is one bit of `pageSizes`, and `iova` and `physical` are
   * aligned to it. Over a live leaf: EADDRINUSE, and that leaf is untouched. Neither read nor write: EINVAL.
   */
  mapPages(iova: bigint, physical: bigint, pageSize: bigint, count: number, access: Access): MapResult
  /** Bytes really unmapped: fewer at a hole, more where the end lies in a larger leaf. Never splits a leaf. */
  unmapPages(iova: bigint, pageSize: bigint, count: number, gather: Gather): bigint
  /** After a batch of maps, once for the whole range of `size` bytes; of 0 there is nothing to do. Where it throws the core unmaps the range. */
  iotlbSyncMap?(iova: bigint, size: bigint): void
  /** When it returns no stale translation of the gathered range is used any more, ATS caches included. */
  iotlbSync?(gather: Gather): void
  /** Drops every cached translation of the domain, on all its devices and PASIDs. */
  flushIotlbAll?(): void
  /** The physical address, offset included, or undefined where nothing is mapped. */
  iovaToPhys(iova: bigint): bigint | undefined
  /** Decided before the first map; true: no-snoop accesses are impossible from now on. */
  enforceCacheCoherency?(): boolean
  free(): void
}

/** A CPU-side address space: its tables are the domain's tables. */
export interface AddressSpace {
  /** For people. */
  readonly name: string
  /** Physical address of the root table. */
  readonly root: bigint
  readonly levels: number
  /** log2 of its smallest page in bytes. */
  readonly pageShift: number
  /** Called by the driver; the address space calls back when it changes or ends (Linux, mmu_notifier). */
  subscribe(listener: AddressSpaceListener): () => void
}

/** What a shared virtual addressing domain must be told of its address space. */
export interface AddressSpaceListener {
  /** Translations in the range, both ends inclusive, have been changed and may be cached nowhere. */
  invalidate(start: bigint, end: bigint): void
  /** The address space is gone: DMA to it must fault, silently, until the PASID is removed. */
  release(): void
}

/** A domain whose page tables are a process's own. PASIDs only. */
export interface SvaDomain extends Domain {
  readonly kind: 'sva'
  readonly owner: symbol
  readonly addressSpace: AddressSpace
  setDevPasid(device: Device, pasid: Pasid, old: Domain | undefined): void
  free(): void
}

export const isPaging = (domain: Domain): domain is PagingDomain => domain.kind === 'paging'
