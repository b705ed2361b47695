// Records of the fault queue, and the causes that they can name.
import { address, bit, entry, field, wide } from '@iommu/bits'

/** What kind of transaction a record is about. */
export const TRANSACTION_TYPES = {
  0: 'none', 1: 'untranslated execute', 2: 'untranslated read', 3: 'untranslated write',
  5: 'translated execute', 6: 'translated read', 7: 'translated write', 8: 'ATS translation request', 9: 'PCIe message',
} as const

export const faultRecord = entry('riscv.fault', {
  title: 'Fault record', bits: 256, section: 'riscv:3.2?', confirmedBy: ['linux', 'qemu', 'spec'],
  reserved: [[127, 96]],
  ignored: [[95, 64]],
}, {
  CAUSE: field(11, 0, 'Cause'),
  PID: field(31, 12, 'Process Identifier'),
  PV: bit(32, 'There is a process id'),
  PRIV: bit(33, 'Supervisor request', { confirmedBy: ['linux', 'spec'] }),
  TTYP: field(39, 34, 'Transaction type', TRANSACTION_TYPES),
  DID: field(63, 40, 'Device Identifier'),
  IOTVAL: wide(191, 128, 'Device address, or code of a message', { confirmedBy: ['qemu', 'spec'] }),
  IOTVAL2: wide(255, 192, 'Guest address of a second-stage fault', { confirmedBy: ['qemu', 'spec'] }),
})

/** What IOTVAL2 holds of faults 20, 21 and 23. Bits below a page may be 0 in it. */
export const guestFaultAddress = entry('riscv.iotval2', {
  title: 'Guest address of a second-stage fault', bits: 64, section: 'riscv:3.2?', confirmedBy: ['spec'],
}, {
  implicit: bit(0, 'Met while a table of the guest was read or updated'),
  write: bit(1, 'That access was an update'),
  GPA: address(63, 2, 'Guest physical address', { scale: 2 }),
})

/** Who says that a code means what it says here. */
export type Confirmation = 'linux' | 'qemu' | 'spec'

export interface FaultCause {
  readonly code: number
  /** In our words, short. */
  readonly meaning: string
  /** Whether tc.DTF keeps it out of the queue. */
  readonly qualified: boolean
  /** Empty: nothing outside of this project confirms it. */
  readonly confirmedBy: readonly Confirmation[]
}

const cause = (code: number, meaning: string, qualified = true, confirmedBy: readonly Confirmation[] = ['spec']): FaultCause =>
  ({ code, meaning, qualified, confirmedBy })

const list = (): readonly FaultCause[] => [
  cause(1, 'an instruction fetch reached memory that cannot be read'),
  cause(4, 'a read was misaligned'),
  cause(5, 'a read, or the walk for it, reached memory that cannot be read', true, ['qemu', 'spec']),
  cause(6, 'a write was misaligned'),
  cause(7, 'a write, or the walk for it, reached memory that cannot be read', true, ['qemu', 'spec']),
  cause(12, 'first stage: nothing mapped, or no permission to execute'),
  cause(13, 'first stage: nothing mapped, or no permission to read', true, ['qemu', 'spec']),
  cause(15, 'first stage: nothing mapped, or no permission to write', true, ['qemu', 'spec']),
  cause(20, 'second stage: nothing mapped, or no permission to execute'),
  cause(21, 'second stage: nothing mapped, or no permission to read', true, ['qemu', 'spec']),
  cause(23, 'second stage: nothing mapped, or no permission to write', true, ['qemu', 'spec']),
  cause(256, 'the unit is off', false, ['qemu', 'spec']),
  cause(257, 'a device directory entry cannot be read', false, ['qemu', 'spec']),
  cause(258, 'a device directory entry is not valid', false, ['qemu', 'spec']),
  cause(259, 'a device directory entry is programmed wrongly', false, ['qemu', 'spec']),
  cause(260, 'this kind of request is not allowed', true, ['qemu', 'spec']),
  cause(261, 'an MSI page table entry cannot be read'),
  cause(262, 'an MSI page table entry is not valid'),
  cause(263, 'an MSI page table entry is programmed wrongly'),
  cause(264, 'an MRIF cannot be accessed'),
  cause(265, 'a process directory entry cannot be read', true, ['qemu', 'spec']),
  cause(266, 'a process directory entry is not valid', true, ['qemu', 'spec']),
  cause(267, 'a process directory entry is programmed wrongly', true, ['qemu', 'spec']),
  cause(268, 'a device directory entry is corrupt', false),
  cause(269, 'a process directory entry is corrupt'),
  cause(270, 'an MSI page table entry is corrupt'),
  cause(271, 'an MRIF is corrupt'),
  cause(272, 'an error inside of the unit', false),
  cause(273, 'an interrupt of the unit\'s own could not be written', false),
  cause(274, 'a page table entry is corrupt'),
]

/** By code. Pure, so that whoever needs no meanings does not carry them. */
const byCode = /* @__NO_SIDE_EFFECTS__ */ (all: () => readonly FaultCause[]): ReadonlyMap<number, FaultCause> =>
  new Map(all().map((each) => [each.code, each]))

/** By code. A code that is not here is not known. */
export const faultCauses = byCode(list)
