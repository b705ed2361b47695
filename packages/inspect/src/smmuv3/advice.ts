// What an SMMUv3 event means for the person who reads it: what follows from it, and where to look next.
import { EVENTS } from '@iommu/driver-arm-smmuv3/queues'
import type { CodeMembers } from '../vendor.js'

type Advice = Pick<CodeMembers, 'so' | 'usual' | 'next'>

const LOOK_AT_GROUP = 'the type and the reserved regions of the device\'s group: /sys/kernel/iommu_groups'
const LOOK_AT_TABLES = 'iommu walk SOURCE --rid DEVICE --iova ADDRESS, on a capture, an ELF core or a memory image'
const LOOK_AT_STE = 'the stream table entry: iommu decode smmuv3.ste WORDS'
const LOOK_AT_CD = 'the context descriptor: iommu decode smmuv3.cd WORDS'
const LOOK_AT_IDS = 'which StreamID firmware gives the device: IORT, or iommu-map of the device tree'
const LOOK_AT_ATS = 'the ATS capability of the device: lspci -vvv'

const UNREADABLE: Advice = {
  so: 'a structure in memory could not be read: a pointer leads to something that is not memory.',
  usual: ['memory of the tables was overwritten', 'a table that was freed while it was in use'],
  next: ['the address of the fetch, beside the memory map', LOOK_AT_TABLES],
}

const list: readonly (Advice & { readonly codes: readonly number[] })[] = [
  {
    codes: [EVENTS.F_TRANSLATION],
    so: 'the stream has a translation, and no page is mapped at the address.',
    usual: ['the buffer was unmapped too early', 'never mapped, or mapped for another device', 'the device ran past its buffer'],
    next: [LOOK_AT_TABLES, LOOK_AT_GROUP],
  },
  {
    codes: [EVENTS.F_PERMISSION],
    so: 'the page is mapped, and the mapping does not allow this access.',
    usual: ['a buffer mapped in one direction and used in the other', 'a privileged or an instruction access where none was foreseen'],
    next: [LOOK_AT_TABLES],
  },
  {
    codes: [EVENTS.F_ACCESS],
    so: 'the page is mapped, and its access flag is 0; nobody but software may set it here.',
    usual: ['tables shared with a CPU, whose fault handler was not asked', 'an entry that was not written by the driver'],
    next: [LOOK_AT_TABLES],
  },
  {
    codes: [EVENTS.F_ADDR_SIZE],
    so: 'hardware refuses a translation table entry that software wrote: its address is wider than it may be.',
    usual: ['memory of the tables was overwritten', 'IPS or S2PS is smaller than the addresses in use'],
    next: [LOOK_AT_TABLES],
  },
  {
    codes: [EVENTS.C_BAD_STREAMID],
    so: 'no stream table entry exists for the stream; none of its DMA passes.',
    usual: ['a device that the driver has not seen yet', 'a StreamID that firmware describes wrongly'],
    next: [LOOK_AT_IDS],
  },
  {
    codes: [EVENTS.C_BAD_STE],
    so: 'hardware refuses the stream table entry that software wrote, or it was never written; no DMA of the stream passes.',
    usual: ['a stream that no driver has set up', 'a field that this SMMU does not support', 'an entry that was read while it was being changed'],
    next: [LOOK_AT_STE, LOOK_AT_IDS],
  },
  {
    codes: [EVENTS.C_BAD_CD],
    so: 'hardware refuses the context descriptor, or it is not valid: nothing is set up for this stream and SSID.',
    usual: ['a PASID that was taken away while the device still used it', 'a field that this SMMU does not support'],
    next: [LOOK_AT_CD],
  },
  {
    codes: [EVENTS.C_BAD_SUBSTREAMID],
    so: 'the request had a PASID, and the stream table entry has no place for it.',
    usual: ['PASID was enabled in the device before, or without, its stream table entry', 'a PASID above those that were given out'],
    next: [`S1CDMax of ${LOOK_AT_STE}`],
  },
  {
    codes: [EVENTS.F_STREAM_DISABLED],
    so: 'the stream is set up for requests with PASID only (S1DSS), and this one had none, or PASID 0.',
    usual: ['the device is blocked while PASIDs of it are alive', 'DMA of the device that goes on after its domain was taken away'],
    next: [`S1DSS of ${LOOK_AT_STE}`],
  },
  {
    codes: [EVENTS.F_BAD_ATS_TREQ, EVENTS.F_TRANSL_FORBIDDEN],
    so: 'the device used ATS, and its stream table entry does not allow that.',
    usual: ['ATS was enabled in the device before, or without, its stream table entry', 'the device is on an identity or blocked domain'],
    next: [`EATS of ${LOOK_AT_STE}`, LOOK_AT_ATS],
  },
  {
    codes: [EVENTS.F_TLB_CONFLICT, EVENTS.F_CFG_CONFLICT],
    so: 'hardware holds copies that contradict each other: something was changed without the invalidation that it needs.',
    usual: ['a mapping that was replaced without being broken first', 'an entry changed without its CFGI command'],
    next: ['the order of stores and commands of the last change of this stream'],
  },
  {
    codes: [EVENTS.F_UUT],
    so: 'the device sent something that this SMMU cannot translate at all.',
    usual: ['a device that is not configured as its bus expects'],
    next: ['the configuration of the device and of the bus above it'],
  },
  {
    codes: [EVENTS.E_PAGE_REQUEST],
    so: 'no DMA was refused: it is a hint.',
    usual: [],
    next: [],
  },
  { codes: [EVENTS.F_STE_FETCH, EVENTS.F_CD_FETCH, EVENTS.F_WALK_EABT, EVENTS.F_VMS_FETCH], ...UNREADABLE },
]

const byCode = new Map(list.flatMap(({ codes, ...advice }) => codes.map((code) => [code, advice] as const)))

/** Undefined where the code alone says it all. */
export const adviceFor = (code: number): Advice | undefined => byCode.get(code)
