// Types of the contract's parts that no backend here implements yet: nested domains, dirty tracking, page requests.
import type { Device, Pasid } from './device.js'
import type { Gather } from './gather.js'
import type { Domain, PagingDomain } from './domain.js'

/** A guest's stage on top of a parent that the host owns (Linux, `domain_alloc_nested`). */
export interface NestedRequest {
  readonly parent: PagingDomain
  readonly guestRoot: bigint
  readonly levels: number
}

/** A nested domain is invalidated by its user, request by request. */
export interface NestedDomain extends Domain {
  readonly kind: 'nested'
  /** Returns how many requests were carried out, also when it stops early. */
  cacheInvalidateUser(requests: readonly { start: bigint; end: bigint }[]): number
}

/** Which pages a device has written (Linux, `iommu_dirty_ops`). */
export interface DirtyOps {
  setDirtyTracking(domain: PagingDomain, on: boolean): void
  readAndClearDirty(domain: PagingDomain, iova: bigint, size: bigint, clear: boolean, gather: Gather): readonly bigint[]
}

/** A page request of a device, PCIe PRI or a stall. */
export interface PageRequest {
  readonly device: Device
  readonly pasid?: Pasid
  readonly group: number
  readonly last: boolean
  readonly address: bigint
  readonly access: { readonly read: boolean; readonly write: boolean; readonly execute: boolean; readonly privileged: boolean }
}

/** The answer to a group of page requests. */
export interface PageResponse {
  readonly pasid?: Pasid
  readonly group: number
  readonly code: 'success' | 'invalid' | 'failure'
}
