// Registers: where they lie, and the fields of those that have fields.
import { address, bit, entry, field } from '@iommu/bits'

/** Byte offsets from the base; those of 0x10000 and more are on page 1. */
export const OFFSETS = {
  IDR0: 0x00, IDR1: 0x04, IDR2: 0x08, IDR3: 0x0c, IDR4: 0x10, IDR5: 0x14, IIDR: 0x18, AIDR: 0x1c,
  CR0: 0x20, CR0ACK: 0x24, CR1: 0x28, CR2: 0x2c, STATUSR: 0x40, GBPA: 0x44, AGBPA: 0x48,
  IRQ_CTRL: 0x50, IRQ_CTRLACK: 0x54, GERROR: 0x60, GERRORN: 0x64,
  GERROR_IRQ_CFG0: 0x68, GERROR_IRQ_CFG1: 0x70, GERROR_IRQ_CFG2: 0x74,
  STRTAB_BASE: 0x80, STRTAB_BASE_CFG: 0x88, CMDQ_BASE: 0x90, CMDQ_PROD: 0x98, CMDQ_CONS: 0x9c,
  EVENTQ_BASE: 0xa0, EVENTQ_PROD: 0x100a8, EVENTQ_CONS: 0x100ac,
  EVENTQ_IRQ_CFG0: 0xb0, EVENTQ_IRQ_CFG1: 0xb8, EVENTQ_IRQ_CFG2: 0xbc,
  PRIQ_BASE: 0xc0, PRIQ_PROD: 0x100c8, PRIQ_CONS: 0x100cc,
} as const

const from = { confirmedBy: ['linux', 'qemu'] } as const
const spec = { confirmedBy: ['spec'] } as const
const half = { bits: 32, wordBits: 32, ...from } as const

export const idr0 = entry('smmuv3.idr0', {
  title: 'Identification register 0', ...half, section: 'smmu:6.3.1', reserved: [[29, 29], [31, 31]],
}, {
  S2P: bit(0, 'Stage 2'),
  S1P: bit(1, 'Stage 1'),
  TTF: field(3, 2, 'Table formats', { 1: 'AArch32', 2: 'AArch64', 3: 'AArch32 and AArch64' }),
  COHACC: bit(4, 'Coherent access'),
  BTM: bit(5, 'Broadcast TLB maintenance'),
  HTTU: field(7, 6, 'Flags by hardware', { 0: 'none', 1: 'access', 2: 'access and dirty', 3: 'access, dirty, and access of tables' }),
  DORMHINT: bit(8, 'Dormant hint', spec),
  HYP: bit(9, 'EL2'),
  ATS: bit(10, 'ATS'),
  NS1ATS: bit(11, 'Split-stage ATS not supported', spec),
  ASID16: bit(12, '16-bit ASIDs'),
  MSI: bit(13, 'MSI'),
  SEV: bit(14, 'Events on completion', { confirmedBy: ['linux'] }),
  ATOS: bit(15, 'Address translation operations', spec),
  PRI: bit(16, 'PRI'),
  VMW: bit(17, 'VMID wildcards', spec),
  VMID16: bit(18, '16-bit VMIDs'),
  CD2L: bit(19, '2-level CD tables'),
  VATOS: bit(20, 'Virtual address translation operations', spec),
  TTENDIAN: field(22, 21, 'Endianness of tables', { 0: 'mixed', 2: 'little', 3: 'big' }),
  ATSRECERR: bit(23, 'Configuration errors of ATS requests can be recorded', spec),
  STALL_MODEL: field(25, 24, 'Stall model', { 0: 'stall or terminate', 1: 'terminate', 2: 'stall' }),
  TERM_MODEL: bit(26, 'Termination is an abort always', { confirmedBy: ['qemu'] }),
  ST_LEVEL: field(28, 27, 'Stream table levels', { 0: 'linear', 1: 'linear or 2-level' }),
  RME_IMPL: bit(30, 'Realm management extension', spec),
})

export const idr1 = entry('smmuv3.idr1', { title: 'Identification register 1', ...half, section: 'smmu:6.3.2' }, {
  SIDSIZE: field(5, 0, 'Width of StreamIDs'),
  SSIDSIZE: field(10, 6, 'Width of SSIDs; 0: none'),
  PRIQS: field(15, 11, 'Largest PRI queue, log2'),
  EVENTQS: field(20, 16, 'Largest event queue, log2'),
  CMDQS: field(25, 21, 'Largest command queue, log2'),
  ATTR_PERMS_OVR: bit(26, 'Permission attributes can be overridden', spec),
  ATTR_TYPES_OVR: bit(27, 'Memory attributes can be overridden', { confirmedBy: ['linux'] }),
  REL: bit(28, 'Relative base pointers', { confirmedBy: ['linux'] }),
  QUEUES_PRESET: bit(29, 'Queue addresses are fixed', { confirmedBy: ['linux'] }),
  TABLES_PRESET: bit(30, 'Table addresses are fixed', { confirmedBy: ['linux'] }),
  ECMDQ: bit(31, 'Enhanced command queues'),
})

export const idr3 = entry('smmuv3.idr3', {
  title: 'Identification register 3', ...half, section: 'smmu:6.3.4', reserved: [[1, 0], [6, 6], [31, 24]],
}, {
  HAD: bit(2, 'Hierarchical attributes can be disabled', { confirmedBy: ['qemu'] }),
  PBHA: bit(3, 'Page-based hardware attributes', spec),
  XNX: bit(4, 'Stage 2 execute permission by privilege', { confirmedBy: ['qemu'] }),
  PPS: bit(5, 'PASID in PRI responses', spec),
  MPAM: bit(7, 'MPAM', spec),
  FWB: bit(8, 'Stage 2 forced write-back', { confirmedBy: ['linux'] }),
  STT: bit(9, 'Small translation tables', spec),
  RIL: bit(10, 'Range invalidation'),
  BBML: field(12, 11, 'Break-before-make level', { 0: 'level 0', 1: 'level 1', 2: 'level 2' }),
  E0PD: bit(13, 'Unprivileged accesses can be made to fault', spec),
  PTWNNC: bit(14, 'Device memory walks are non-cacheable', spec),
  DPT: bit(15, 'Device permission table', spec),
  PASIDTT: bit(16, 'PASID in translated requests', spec),
  EPAN: bit(17, 'Enhanced privileged access never', spec),
  S1PI: bit(18, 'Stage 1 permission indirection', spec),
  S2PI: bit(19, 'Stage 2 permission indirection', spec),
  S2PO: bit(20, 'Stage 2 permission overlay', spec),
  THE: bit(21, 'Translation hardening', spec),
  MTEPERM: bit(22, 'Memory tagging permission', spec),
  AIE: bit(23, 'Attribute index extension', spec),
})

export const idr5 = entry('smmuv3.idr5', {
  title: 'Identification register 5', ...half, section: 'smmu:6.3.6', reserved: [[3, 3], [9, 9], [15, 12]],
}, {
  OAS: field(2, 0, 'Output size', { 0: '32 bits', 1: '36 bits', 2: '40 bits', 3: '42 bits', 4: '44 bits', 5: '48 bits', 6: '52 bits', 7: '56 bits' }),
  GRAN4K: bit(4, '4 KiB granule'),
  GRAN16K: bit(5, '16 KiB granule'),
  GRAN64K: bit(6, '64 KiB granule'),
  DS: bit(7, '52-bit addresses with small granules', spec),
  D128: bit(8, '128-bit descriptors', spec),
  VAX: field(11, 10, 'Input size', { 0: '48 bits', 1: '52 bits' }),
  STALL_MAX: field(31, 16, 'Most stalled transactions', undefined, { confirmedBy: ['linux'] }),
})

/** CR0, and CR0ACK under the same bits. */
export const control0 = entry('smmuv3.cr0', {
  title: 'Control register 0', ...half, section: 'smmu:6.3.9', reserved: [[5, 5], [9, 9], [31, 11]],
}, {
  SMMUEN: bit(0, 'Translation'),
  PRIQEN: bit(1, 'PRI queue'),
  EVENTQEN: bit(2, 'Event queue'),
  CMDQEN: bit(3, 'Command queue'),
  ATSCHK: bit(4, 'ATS is checked by the stream table', { confirmedBy: ['linux'] }),
  VMW: field(8, 6, 'VMID wildcard', undefined, spec),
  DPT_WALK_EN: bit(10, 'DPT walks', spec),
})

export const control1 = entry('smmuv3.cr1', {
  title: 'Control register 1', ...half, section: 'smmu:6.3.11', confirmedBy: ['linux'], reserved: [[31, 12]],
}, {
  QUEUE_IC: field(1, 0, 'Queues: inner cacheability', { 0: 'non-cacheable', 1: 'write-back', 2: 'write-through' }),
  QUEUE_OC: field(3, 2, 'Queues: outer cacheability', { 0: 'non-cacheable', 1: 'write-back', 2: 'write-through' }),
  QUEUE_SH: field(5, 4, 'Queues: shareability', { 0: 'non-shareable', 2: 'outer shareable', 3: 'inner shareable' }),
  TABLE_IC: field(7, 6, 'Stream table: inner cacheability', { 0: 'non-cacheable', 1: 'write-back', 2: 'write-through' }),
  TABLE_OC: field(9, 8, 'Stream table: outer cacheability', { 0: 'non-cacheable', 1: 'write-back', 2: 'write-through' }),
  TABLE_SH: field(11, 10, 'Stream table: shareability', { 0: 'non-shareable', 2: 'outer shareable', 3: 'inner shareable' }),
})

export const control2 = entry('smmuv3.cr2', {
  title: 'Control register 2', ...half, section: 'smmu:6.3.12', reserved: [[31, 4]],
}, {
  E2H: bit(0, 'EL2 host'),
  RECINVSID: bit(1, 'Record StreamIDs beyond the table'),
  PTM: bit(2, 'No broadcast TLB maintenance'),
  REC_CFG_ATS: bit(3, 'Record configuration errors of ATS requests', spec),
})

export const globalBypass = entry('smmuv3.gbpa', {
  title: 'Global bypass attribute register', ...half, section: 'smmu:6.3.15', confirmedBy: ['spec'],
  reserved: [[7, 5], [15, 14], [30, 21]],
}, {
  MemAttr: field(3, 0, 'Memory attributes'),
  MTCFG: bit(4, 'Memory attributes from MemAttr'),
  ALLOCCFG: field(11, 8, 'Allocation hints'),
  SHCFG: field(13, 12, 'Shareability', { 0: 'non-shareable', 1: 'as incoming', 2: 'outer shareable', 3: 'inner shareable' }),
  PRIVCFG: field(17, 16, 'Privilege'),
  INSTCFG: field(19, 18, 'Instruction or data'),
  ABORT: bit(20, 'Abort everything while translation is off', from),
  Update: bit(31, 'The write is under way', from),
})

export const interruptControl = entry('smmuv3.irq-ctrl', {
  title: 'Interrupt control register', ...half, section: 'smmu:6.3.17', reserved: [[31, 3]],
}, { GERROR: bit(0, 'Global errors'), PRIQ: bit(1, 'PRI queue', { confirmedBy: ['linux'] }), EVENTQ: bit(2, 'Event queue') })

/** GERROR, and GERRORN under the same bits: an error is active while the two differ. */
export const globalError = entry('smmuv3.gerror', {
  title: 'Global error register', ...half, section: 'smmu:6.3.19', confirmedBy: ['linux'], reserved: [[1, 1], [31, 11]],
}, {
  CMDQ: bit(0, 'Command queue has stopped', from),
  EVENTQ_ABT: bit(2, 'Event queue write aborted', from),
  PRIQ_ABT: bit(3, 'PRI queue write aborted'),
  MSI_CMDQ_ABT: bit(4, 'MSI of the command queue aborted'),
  MSI_EVENTQ_ABT: bit(5, 'MSI of the event queue aborted'),
  MSI_PRIQ_ABT: bit(6, 'MSI of the PRI queue aborted'),
  MSI_GERROR_ABT: bit(7, 'MSI of global errors aborted'),
  SFM: bit(8, 'Service failure mode'),
  CMDQP: bit(9, 'Control page of command queues', spec),
  DPT: bit(10, 'DPT lookup failed', spec),
})

export const streamTableBase = entry('smmuv3.strtab-base', {
  title: 'Stream table base register', bits: 64, section: 'smmu:6.3.24', confirmedBy: ['linux', 'qemu', 'capture'],
  reserved: [[5, 0], [61, 56], [63, 63]],
}, {
  ADDR: address(55, 6, 'Stream table'),
  RA: bit(62, 'Read allocate'),
})

export const streamTableConfig = entry('smmuv3.strtab-base-cfg', {
  title: 'Stream table configuration register', ...half, section: 'smmu:6.3.25', confirmedBy: ['linux', 'qemu', 'capture'],
  reserved: [[15, 11], [31, 18]],
}, {
  LOG2SIZE: field(5, 0, 'Width of StreamIDs in the table'),
  SPLIT: field(10, 6, 'Width of StreamIDs in level 2', { 6: '4 KiB', 8: '16 KiB', 10: '64 KiB' }),
  FMT: field(17, 16, 'Format', { 0: 'linear', 1: '2-level' }),
})

/** CMDQ_BASE, EVENTQ_BASE and PRIQ_BASE. */
export const queueBase = entry('smmuv3.queue-base', {
  title: 'Queue base register', bits: 64, section: 'smmu:6.3.26', confirmedBy: ['linux', 'qemu', 'capture'], reserved: [[61, 56], [63, 63]],
}, {
  LOG2SIZE: field(4, 0, 'Entries, log2'),
  ADDR: address(55, 5, 'Queue'),
  RA: bit(62, 'Allocate: read for commands, write for events', { alias: ['WA'] }),
})

/** What ERR of CMDQ_CONS says. */
export const COMMAND_ERRORS = { none: 0, illegal: 1, abort: 2, atcInvSync: 3 } as const

export const commandQueueIndex = entry('smmuv3.cmdq-cons', {
  title: 'Command queue index register', ...half, section: 'smmu:6.3.28', reserved: [[23, 20], [31, 31]],
}, {
  INDEX: field(19, 0, 'Index, with the wrap bit above it'),
  ERR: field(30, 24, 'Error', { 0: 'none', 1: 'illegal command', 2: 'abort on fetch', 3: 'ATC invalidation without answer' }),
})

/** PROD (overflow) and CONS (overflow acknowledged) of the event queue and the PRI queue. */
export const outputQueueIndex = entry('smmuv3.eventq-prod', {
  title: 'Output queue index register', ...half, section: 'smmu:6.3.30', reserved: [[30, 20]],
}, {
  INDEX: field(19, 0, 'Index, with the wrap bit above it'),
  OVFLG: bit(31, 'Overflow; acknowledged when PROD and CONS agree', { alias: ['OVACKFLG'] }),
})
