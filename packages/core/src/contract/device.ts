// A device: whatever can be the source of DMA that an IOMMU translates.

/** 16-bit PCI requester id: bus 15:8, device 7:3, function 2:0. */
export type RequesterId = number

/** 20-bit process address space id. 0 means requests without PASID. */
export type Pasid = number

/** The key under which requests without PASID are kept (Linux, `IOMMU_NO_PASID`). */
export const NO_PASID: Pasid = 0

/** What the core layer and a driver are told of a device. All of it is fixed for the device's life. */
export interface Device {
  /** For people: "0000:00:04.0". */
  readonly name: string
  readonly requesterId: RequesterId
  /** Further requester ids under which the device's DMA arrives (bridges, phantom functions). */
  readonly aliases?: readonly RequesterId[]
  /** Which of the driver's IOMMU instances the device is behind. 0 where there is only one. */
  readonly unit?: number
  /** Externally facing: its default domain must translate (Linux, `pci_dev->untrusted`). */
  readonly untrusted?: boolean
  /** Whether the device has the ATS capability; a reset of such a device is announced to the core layer. */
  readonly ats?: boolean
  /** Memory that the firmware says the device uses all the time (RMRR, IVMD, RMR), mapped 1:1. */
  readonly reserved?: readonly ReservedRegion[]
  /** Devices that cannot be isolated from each other carry the same key. Absent: a group of its own. */
  readonly isolation?: string
}

/**
 * How a range of device addresses is reserved (Linux, `enum iommu_resv_type`).
 * `direct`: always 1:1; `direct-relaxable`: 1:1 in default domains only; `reserved`: never mapped;
 * `msi`: interrupts, untranslated; `software-msi`: where the core maps the doorbell.
 */
export type ReservedKind = 'direct' | 'direct-relaxable' | 'reserved' | 'msi' | 'software-msi'

/** A reserved range of device addresses, in bytes. */
export interface ReservedRegion {
  readonly start: bigint
  readonly length: bigint
  readonly kind: ReservedKind
  readonly access: Access
}

/** What DMA may do with a mapping. A mapping with neither is refused with EINVAL. */
export interface Access {
  readonly read: boolean
  readonly write: boolean
  /** Instruction fetch is refused where the format can say it. */
  readonly noExecute?: boolean
}
