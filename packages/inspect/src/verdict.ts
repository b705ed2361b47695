// What the tables make of one requester or PASID.

/** `invalid`: hardware refuses the DMA too, because an entry is not as it must be. */
export type Effect = 'identity' | 'blocked' | 'translated' | 'invalid'

export interface Verdict {
  readonly effect: Effect
  /** The tag under which hardware keeps its translations: a domain id, an ASID, a VMID. */
  readonly domainId?: number
  readonly why: string
}
