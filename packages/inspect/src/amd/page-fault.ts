// What an IO_PAGE_FAULT says of the request, in the manual's form and in QEMU's.
import { decode } from '@iommu/bits'
import { ioPageFaultEvent } from '@iommu/driver-amd-vi/queues'

export interface PageFault {
  readonly access: 'read' | 'write'
  readonly interrupt: boolean
  readonly pasid?: number
  readonly domainId?: number
  /** Why it was refused. */
  readonly why: 'absent' | 'permission' | 'reserved' | 'interrupt' | 'unsaid'
  /** Whether it was read as QEMU writes it. */
  readonly asQemu: boolean
}

/**
 * QEMU 10.2 and 11.1 write address 0 for every refused DMA, I=1, and the permission asked where the manual has GN and
 * NX; the domain is 0 then.
 */
const asQemu = ({ GN, NX, US, I, PR, RW, PE, RZ, TR, DomainID, ADDR }: ReturnType<typeof decode<typeof ioPageFaultEvent['fields']>>): boolean =>
  ADDR === 0n && DomainID === 0 && I === 1 && GN + NX === 1 && US + PR + RW + PE + RZ + TR === 0

/** The event as its words have it. */
export const readPageFault = (words: readonly bigint[]): PageFault => {
  const values = decode(ioPageFaultEvent, words)
  const { GN, I, PR, RW, PE, RZ, DomainID, PASIDHigh } = values
  if (asQemu(values)) return { access: GN === 1 ? 'read' : 'write', interrupt: false, why: 'unsaid', asQemu: true }
  return {
    access: RW === 1 ? 'write' : 'read',
    interrupt: I === 1,
    ...(GN === 1 ? { pasid: PASIDHigh * 0x10000 + DomainID } : { domainId: DomainID }),
    why: I === 1 ? 'interrupt' : PR === 0 ? 'absent' : RZ === 1 ? 'reserved' : PE === 1 ? 'permission' : 'unsaid',
    asQemu: false,
  }
}
