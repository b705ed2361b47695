// What a VT-d fault reason means for the person who reads it: what it says of the device, and where to look next.

const LOOK_AT_TABLES = 'iommu walk SOURCE --rid DEVICE --iova ADDRESS, on a capture, an ELF core or debugfs text'
const LOOK_AT_GROUP = 'the type and the reserved regions of the device\'s group: /sys/kernel/iommu_groups'
const LOOK_AT_CONTEXT = 'the context entry: iommu decode vtd.context WORDS, or vtd.sm-context'
const LOOK_AT_PASID = 'the PASID entry: iommu decode vtd.pasid WORDS'
const LOOK_AT_ALIASES = 'bridges above the device, whose requester id its DMA may carry: lspci -t'
const LOOK_AT_CAPABILITIES = 'what the device has switched on: lspci -vvv -s DEVICE'

/** Reasons with the same consequence share one text. */
interface Advice {
  readonly codes: readonly number[]
  /** What follows from the reason. */
  readonly so: string
  /** What it usually turns out to be. A likelihood, not part of the reason. */
  readonly usual: readonly string[]
  readonly next: readonly string[]
}

const list: readonly Advice[] = [
  {
    codes: [0x01, 0x02, 0x39, 0x41, 0x51, 0x59],
    so: 'nothing is set up for this requester: the device is blocked, and no address would have passed.',
    usual: [
      'the device was taken for user space and has no domain yet',
      'DMA under a requester id that the system does not know (a bridge, or a hidden function)',
      'a driver or firmware that goes on with DMA after the device was released',
    ],
    next: [LOOK_AT_GROUP, LOOK_AT_ALIASES, LOOK_AT_TABLES],
  },
  {
    codes: [0x05, 0x06, 0x79],
    so: 'the device has a domain. Its second-stage table has no mapping there, or one that does not allow this access.',
    usual: [
      'the buffer was unmapped too early',
      'never mapped, or mapped for another device',
      'mapped for the other direction only',
    ],
    next: [LOOK_AT_TABLES, LOOK_AT_GROUP],
  },
  {
    codes: [0x71],
    so: 'the device has a domain, and its first-stage table has no mapping there. Permission is not the question.',
    usual: [
      'the buffer was unmapped too early',
      'never mapped, or mapped for another device',
      'the device ran past its buffer',
    ],
    next: [LOOK_AT_TABLES, LOOK_AT_GROUP],
  },
  {
    codes: [0x85, 0x86, 0x81, 0x82],
    so: 'the page is mapped, and the mapping does not allow this access.',
    usual: [
      'a buffer mapped in one direction and used in the other',
      'a privileged or execute request where none was foreseen',
    ],
    next: [LOOK_AT_TABLES],
  },
  {
    codes: [0x04, 0x80, 0x83],
    so: 'the address cannot be translated at all: it is wider than the tables.',
    usual: ['the device sent a physical or a made-up address', 'the domain has fewer levels than the address needs'],
    next: ['AW of the context or PASID entry', LOOK_AT_TABLES],
  },
  {
    codes: [0x0d, 0x44],
    so: 'the device used ATS, and its context entry does not allow that.',
    usual: ['ATS was enabled in the device before, or without, the context entry'],
    next: [LOOK_AT_CONTEXT, LOOK_AT_CAPABILITIES],
  },
  {
    codes: [0x31, 0x45, 0x46],
    so: 'the request had a PASID, and the unit or the device is not set up for PASIDs.',
    usual: ['PASID was enabled in the device before, or without, its context entry'],
    next: [LOOK_AT_CONTEXT, LOOK_AT_CAPABILITIES],
  },
  {
    codes: [0x25, 0x26, 0x22, 0x21],
    so: 'an interrupt was blocked, not a DMA to memory.',
    usual: [
      'the device or a bridge sends interrupts under another requester id',
      'an interrupt that was freed, or set up by firmware',
    ],
    next: ['interrupts of the device: /proc/interrupts', LOOK_AT_ALIASES],
  },
  {
    codes: [0x03, 0x0a, 0x0b, 0x0c, 0x3a, 0x42, 0x43, 0x48, 0x52, 0x5a, 0x72, 0x7a],
    so: 'hardware refuses an entry that software wrote. The device does not matter.',
    usual: [
      'a field that this unit does not support',
      'memory of the tables was overwritten',
      'an entry that was read while it was being changed',
    ],
    next: [LOOK_AT_TABLES, LOOK_AT_CONTEXT, LOOK_AT_PASID],
  },
  {
    codes: [0x5b],
    so: 'hardware refuses the PASID entry that software wrote. QEMU says so of an entry that is all zero, too, '
      + 'which is how a blocked device looks.',
    usual: [
      'under QEMU: the device was taken for user space and has no domain yet',
      'a translation type that this unit does not support',
    ],
    next: [LOOK_AT_PASID, LOOK_AT_GROUP],
  },
  {
    codes: [0x07, 0x08, 0x09, 0x38, 0x40, 0x50, 0x58, 0x70, 0x73, 0x78, 0x7b],
    so: 'a table could not be read: a pointer leads to something that is not memory.',
    usual: ['a table that was freed while it was in use', 'memory of the tables was overwritten'],
    next: [LOOK_AT_TABLES],
  },
]

const byCode = new Map(list.flatMap((advice) => advice.codes.map((code) => [code, advice] as const)))

/** Undefined where the reason alone says it all. */
export const adviceFor = (code: number): Omit<Advice, 'codes'> | undefined => byCode.get(code)
