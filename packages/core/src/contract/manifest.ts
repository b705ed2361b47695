// The manifest: what a backend declares. Users and the suite read the same one.

/** The number of this contract. A driver of another number is refused with a sentence that names both. */
export const CONTRACT = 1

/** Where a kind of domain can be set. */
export interface Placement {
  readonly rid: boolean
  readonly pasid: boolean
}

/** What a driver says of itself. Frozen; a declared feature that fails is a failure of the driver. */
export interface Manifest {
  readonly contract: number
  /** The package's name without its scope: "driver-intel-vtd". */
  readonly name: string
  /** The hardware, for people: "Intel VT-d, scalable mode". */
  readonly hardware: string
  readonly blocked: Placement
  readonly identity: Placement
  readonly paging: Placement
  readonly sva: Placement
  /** PASIDs below this number can be used; 0: no PASIDs, and no domain has `setDevPasid`. */
  readonly maxPasids: number
  /** PASIDs stay alive under a blocked RID. False: they are blocked with it, and restored by the next attach. */
  readonly pasidsOutliveBlockedRid: boolean
  /** Whether a paging domain in which nothing is mapped faults everywhere. */
  readonly standInBlocks: boolean
  /** Formats that `domainAllocPaging` can be asked for by name, the default first. */
  readonly formats: readonly string[]
  /** Formats whose domains can be set on PASIDs, the default first; absent: all of `formats`. */
  readonly pasidFormats?: readonly string[]
  /**
   * What the requester id may be on while its PASIDs are alive: "blocked", "identity", formats; absent: whatever is
   * declared. Under anything else setting a PASID is EINVAL, and with PASIDs alive moving there is EBUSY, except to
   * blocked, which never fails.
   */
  readonly pasidsUnder?: readonly string[]
  /**
   * Ordered pairs "from>to" of "blocked", "identity", "sva" and formats, during which DMA of the requester id sees
   * one of the two and never a fault.
   */
  readonly hitless: readonly string[]
  /** What the hardware cannot do, each with the reason, for the report. */
  readonly limits: Readonly<Record<string, string>>
}
