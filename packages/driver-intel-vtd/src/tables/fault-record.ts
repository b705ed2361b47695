// The fault recording register, and the reasons that it can name.
import { address, bit, entry, field } from '@iommu/bits'

export const faultRecord = entry('vtd.frcd', {
  title: 'Fault recording register', bits: 128, section: 'vtd:11.4.14?', confirmedBy: ['linux', 'qemu', 'capture'],
  reserved: [[11, 0], [92, 80]],
}, {
  FI: address(63, 12, 'Fault Information: the page of the address'),
  SID: field(79, 64, 'Source Identifier'),
  PRIV: bit(93, 'Privileged', { confirmedBy: [] }),
  EXE: bit(94, 'Execute', { confirmedBy: [] }),
  PP: bit(95, 'PASID Present', { confirmedBy: ['linux', 'qemu'] }),
  FR: field(103, 96, 'Fault Reason'),
  PV: field(123, 104, 'PASID Value', undefined, { confirmedBy: ['linux'] }),
  AT: field(125, 124, 'Address Type', undefined, { confirmedBy: [] }),
  T: bit(126, 'Type: 1 read, 0 write', { alias: ['T1'] }),
  F: bit(127, 'Fault'),
})

/** Who says that a code means what it says here. */
export type Confirmation = 'linux' | 'qemu' | 'capture'

export interface FaultReason {
  readonly code: number
  /** In our words, short. */
  readonly meaning: string
  /** Whether an FPD bit on the way keeps it out of the log. */
  readonly qualified: boolean
  /** Empty: nothing outside of this project confirms it. */
  readonly confirmedBy: readonly Confirmation[]
}

const reason = (
  code: number, meaning: string, confirmedBy: readonly Confirmation[] = ['linux'], qualified = true,
): FaultReason => ({ code, meaning, qualified, confirmedBy })

const list = (): readonly FaultReason[] => [
  reason(0x01, 'the root entry of the bus is not present', ['linux', 'qemu'], false),
  reason(0x02, 'the context entry is not present', ['linux', 'qemu', 'capture']),
  reason(0x03, 'the context entry is programmed wrongly', ['linux', 'qemu']),
  reason(0x04, 'the address lies above the address width', ['linux', 'qemu']),
  reason(0x05, 'second stage: no permission to write, or nothing mapped', ['linux', 'qemu', 'capture']),
  reason(0x06, 'second stage: no permission to read, or nothing mapped', ['linux', 'qemu', 'capture']),
  reason(0x07, 'second stage: a table cannot be read', ['linux', 'qemu']),
  reason(0x08, 'the root table cannot be read', ['linux', 'qemu'], false),
  reason(0x09, 'the context table cannot be read', ['linux', 'qemu'], false),
  reason(0x0a, 'a reserved bit of the root entry is set', ['linux', 'qemu'], false),
  reason(0x0b, 'a reserved bit of the context entry is set', ['linux', 'qemu']),
  reason(0x0c, 'second stage: a reserved bit of a table entry is set', ['linux', 'qemu']),
  reason(0x0d, 'an ATS request, and the context entry does not allow ATS', ['linux', 'qemu']),
  reason(0x0e, 'the address lies in the interrupt range', ['qemu']),
  reason(0x20, 'interrupt remapping: a reserved bit of the request is set', ['linux']),
  reason(0x21, 'interrupt remapping: the index lies beyond the table', ['linux']),
  reason(0x22, 'interrupt remapping: the entry is not present', ['linux']),
  reason(0x23, 'interrupt remapping: the table cannot be read', ['linux']),
  reason(0x24, 'interrupt remapping: a reserved bit of the entry is set', ['linux']),
  reason(0x25, 'interrupt remapping: compatibility-format interrupts are blocked', ['linux']),
  reason(0x26, 'interrupt remapping: the source is not the one that the entry names', ['linux']),
  reason(0x30, 'the root table address register names the wrong table mode (RTA.1)', ['linux'], false),
  reason(0x31, 'a request with PASID, and the root table is in legacy mode (RTA.2)', ['linux'], false),
  reason(0x32, 'a page request, and the root table is in legacy mode (RTA.3)', ['linux'], false),
  reason(0x33, 'the table mode is reserved or aborts all DMA (RTA.4)', [], false),
  reason(0x38, 'the root table cannot be read', ['linux', 'qemu'], false),
  reason(0x39, 'the root entry of the bus is not present', ['linux', 'qemu'], false),
  reason(0x3a, 'a reserved bit of the root entry is set', ['linux', 'qemu'], false),
  reason(0x40, 'the context table cannot be read', ['linux', 'qemu'], false),
  reason(0x41, 'the context entry is not present', ['linux', 'qemu']),
  reason(0x42, 'a reserved bit of the context entry is set', ['linux', 'qemu']),
  reason(0x43, 'the context entry is programmed wrongly', ['linux', 'qemu']),
  reason(0x44, 'an ATS request, and the context entry does not allow ATS (DTE=0)', ['linux']),
  reason(0x45, 'a request with PASID, and the context entry does not allow it (PASIDE=0)', ['linux']),
  reason(0x46, 'the PASID lies beyond the directory', ['linux']),
  reason(0x47, 'a page request, and the context entry does not allow it (PRE=0)', ['linux']),
  reason(0x48, 'RID_PASID is not usable', ['linux']),
  reason(0x50, 'the PASID directory cannot be read', ['linux', 'qemu'], false),
  reason(0x51, 'the PASID directory entry is not present', ['linux', 'qemu']),
  reason(0x52, 'a reserved bit of the PASID directory entry is set', ['linux']),
  reason(0x58, 'the PASID table cannot be read', ['linux', 'qemu'], false),
  reason(0x59, 'the PASID entry is not present', ['linux', 'qemu']),
  reason(0x5a, 'a reserved bit of the PASID entry is set', ['linux']),
  reason(0x5b, 'the PASID entry is programmed wrongly', ['linux', 'qemu', 'capture']),
  reason(0x5c, 'an execute request, and the PASID entry does not allow it (ERE=0)', ['linux']),
  reason(0x5d, 'a supervisor request, and the PASID entry does not allow it (SRE=0)', ['linux']),
  reason(0x70, 'first stage: a table cannot be read', ['linux', 'qemu']),
  reason(0x71, 'first stage: a table entry on the way is not present', ['linux', 'qemu', 'capture']),
  reason(0x72, 'first stage: a reserved bit of a table entry is set', ['linux', 'qemu']),
  reason(0x73, 'first stage: the root table cannot be read', ['linux']),
  reason(0x74, 'nested: a first-stage entry points beyond the guest address width', ['linux']),
  reason(0x75, 'nested: the second stage does not let the first-stage root be read', ['linux']),
  reason(0x76, 'nested: the second stage does not let a first-stage entry be read', ['linux']),
  reason(0x77, 'nested: the second stage does not let a first-stage entry be updated', ['linux']),
  reason(0x78, 'second stage: a table cannot be read', ['linux', 'qemu']),
  reason(0x79, 'second stage: no permission, or nothing mapped', ['linux']),
  reason(0x7a, 'second stage: a reserved bit of a table entry is set', ['linux', 'qemu']),
  reason(0x7b, 'second stage: the root table cannot be read', ['linux']),
  reason(0x7c, 'second stage: an accessed or dirty flag cannot be updated without snooping', ['linux']),
  reason(0x80, 'first stage: the address is not canonical', ['linux', 'qemu']),
  reason(0x81, 'first stage: a user request to a supervisor page', ['linux', 'qemu']),
  reason(0x82, 'first stage: an execute request to a no-execute page', ['linux']),
  reason(0x83, 'the address lies above the address width', ['linux']),
  reason(0x84, 'second stage: an entry points beyond the host address width', []),
  reason(0x85, 'first stage: no permission to write', ['linux', 'qemu', 'capture']),
  reason(0x86, 'first stage: no permission to read', ['linux']),
  reason(0x87, 'the address lies in the interrupt range', ['linux', 'qemu']),
  reason(0x90, 'first stage: an accessed or dirty flag cannot be updated without snooping', ['linux']),
  reason(0x91, 'first stage: an accessed or dirty flag cannot be updated', ['qemu']),
]

/** By code. Pure, so that whoever needs no meanings does not carry them. */
const byCode = /* @__NO_SIDE_EFFECTS__ */ (all: () => readonly FaultReason[]): ReadonlyMap<number, FaultReason> =>
  new Map(all().map((each) => [each.code, each]))

/** Every reason that this project knows, by code. A code that is not here is unknown, not guessed. */
export const faultReasons = byCode(list)
