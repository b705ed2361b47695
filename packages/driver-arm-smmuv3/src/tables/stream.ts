// Stream tables: one entry (STE) per StreamID, in one array or below a level of descriptors.
import { address, bit, entry, field, wide } from '@iommu/bits'

const spec = { confirmedBy: ['spec'] } as const

/** What Config says. Values below 4 abort without an event. */
export const STREAM_CONFIGS = {
  0: 'abort', 1: 'abort', 2: 'abort', 3: 'abort', 4: 'bypass', 5: 'stage 1', 6: 'stage 2', 7: 'stage 1 and stage 2',
} as const

/** What S1Fmt says. */
export const CONTEXT_FORMATS = { 0: 'linear', 1: '2-level, 4 KiB leaves', 2: '2-level, 64 KiB leaves' } as const

/** What S1DSS says: what becomes of requests without SSID where SSIDs are on. */
export const DEFAULT_SUBSTREAMS = { 0: 'terminate', 1: 'bypass stage 1', 2: 'SSID 0' } as const

/** What EATS says. */
export const ATS_MODES = { 0: 'off', 1: 'full', 2: 'split-stage', 3: 'full, checked by the DPT' } as const

/** What STRW says, for the non-secure stream table. */
export const STREAM_WORLDS = { 0: 'NS-EL1', 2: 'EL2' } as const

/** What cacheability fields of walks say. */
export const CACHEABILITIES = { 0: 'non-cacheable', 1: 'write-back, read and write allocate', 2: 'write-through', 3: 'write-back, no write allocate' } as const

/** What shareability fields of walks say. */
export const SHAREABILITIES = { 0: 'non-shareable', 2: 'outer shareable', 3: 'inner shareable' } as const

/** Level 1 of a 2-level stream table: an array of 2^(Span-1) STEs. */
export const levelOneStream = entry('smmuv3.l1std', {
  title: 'Level 1 stream table descriptor', bits: 64, section: 'smmu:5.1', confirmedBy: ['linux', 'qemu', 'capture'],
  reserved: [[5, 5], [63, 56]],
}, {
  Span: field(4, 0, 'Size: 2^(Span-1) STEs; 0: none'),
  L2Ptr: address(55, 6, 'Level 2 array', { alias: ['L2PTR'] }),
})

export const streamEntry = entry('smmuv3.ste', {
  title: 'Stream table entry', bits: 512, section: 'smmu:5.2', confirmedBy: ['linux', 'qemu'],
  reserved: [[58, 56], [107, 105], [252, 248], [255, 255], [301, 296], [383, 376]],
  // Implementation defined, or the secure stage 2 of a non-secure entry.
  ignored: [[127, 116], [159, 144], [271, 256], [295, 288], [303, 302], [447, 384]],
}, {
  V: bit(0, 'Valid', { confirmedBy: ['linux', 'qemu', 'capture'] }),
  Config: field(3, 1, 'Configuration', STREAM_CONFIGS, { alias: ['CFG'], confirmedBy: ['linux', 'qemu', 'capture'] }),
  S1Fmt: field(5, 4, 'Format of the CD table', CONTEXT_FORMATS, { alias: ['S1FMT'] }),
  S1ContextPtr: address(55, 6, 'CD table', { alias: ['S1CTXPTR'], confirmedBy: ['linux', 'qemu', 'capture'] }),
  S1CDMax: field(63, 59, 'Number of CDs: 2^S1CDMax; 0: no SSIDs', undefined, { alias: ['S1CDMAX'] }),
  S1DSS: field(65, 64, 'Default substream', DEFAULT_SUBSTREAMS, { confirmedBy: ['linux', 'capture'] }),
  S1CIR: field(67, 66, 'CD fetch: inner cacheability', CACHEABILITIES, { confirmedBy: ['linux', 'capture'] }),
  S1COR: field(69, 68, 'CD fetch: outer cacheability', CACHEABILITIES, { confirmedBy: ['linux', 'capture'] }),
  S1CSH: field(71, 70, 'CD fetch: shareability', SHAREABILITIES, { confirmedBy: ['linux', 'capture'] }),
  S2HWU: field(75, 72, 'Stage 2 hardware use of attributes', undefined, spec),
  DRE: bit(76, 'Destructive reads allowed', spec),
  CONT: field(80, 77, 'Contiguous entries: 2^CONT', undefined, spec),
  DCP: bit(81, 'Directed cache prefetch allowed', spec),
  PPAR: bit(82, 'PRI: PASID in automatic responses', spec),
  MEV: bit(83, 'Merge events', { confirmedBy: ['linux'] }),
  SW: field(87, 84, 'Software', undefined, spec),
  S1PIE: bit(88, 'Stage 1 permission indirection', spec),
  S2FWB: bit(89, 'Stage 2 forced write-back', { confirmedBy: ['linux'] }),
  S1MPAM: bit(90, 'Stage 1 MPAM from the CD', spec),
  S1STALLD: bit(91, 'Stage 1 stalls disabled'),
  EATS: field(93, 92, 'ATS', ATS_MODES),
  STRW: field(95, 94, 'StreamWorld', STREAM_WORLDS),
  MemAttr: field(99, 96, 'Memory attributes', undefined, spec),
  MTCFG: bit(100, 'Memory attributes from MemAttr', spec),
  ALLOCCFG: field(104, 101, 'Allocation hints', undefined, spec),
  SHCFG: field(109, 108, 'Shareability', { 0: 'non-shareable', 1: 'as incoming', 2: 'outer shareable', 3: 'inner shareable' }, { confirmedBy: ['linux'] }),
  NSCFG: field(111, 110, 'Non-secure attribute', undefined, spec),
  PRIVCFG: field(113, 112, 'Privilege', { 0: 'as incoming', 2: 'unprivileged', 3: 'privileged' }, spec),
  INSTCFG: field(115, 114, 'Instruction or data', { 0: 'as incoming', 2: 'data', 3: 'instruction' }, spec),
  S2VMID: field(143, 128, 'VMID'),
  S2T0SZ: field(165, 160, 'Stage 2 input size: 64 less its bits'),
  S2SL0: field(167, 166, 'Stage 2 start level: 4K 0 L2, 1 L1, 2 L0; 16K and 64K 0 L3, 1 L2, 2 L1'),
  S2IR0: field(169, 168, 'Stage 2 walks: inner cacheability', CACHEABILITIES, { confirmedBy: ['linux'] }),
  S2OR0: field(171, 170, 'Stage 2 walks: outer cacheability', CACHEABILITIES, { confirmedBy: ['linux'] }),
  S2SH0: field(173, 172, 'Stage 2 walks: shareability', SHAREABILITIES, { confirmedBy: ['linux'] }),
  S2TG: field(175, 174, 'Stage 2 granule', { 0: '4 KiB', 1: '64 KiB', 2: '16 KiB' }),
  S2PS: field(178, 176, 'Stage 2 output size', { 0: '32 bits', 1: '36 bits', 2: '40 bits', 3: '42 bits', 4: '44 bits', 5: '48 bits', 6: '52 bits', 7: '56 bits' }),
  S2AA64: bit(179, 'Stage 2 tables are AArch64'),
  S2ENDI: bit(180, 'Stage 2 tables are big-endian'),
  S2AFFD: bit(181, 'Stage 2 access flag faults disabled', { confirmedBy: ['qemu'] }),
  S2PTW: bit(182, 'Stage 1 walks to device memory fault', { confirmedBy: ['linux'] }),
  S2HD: bit(183, 'Stage 2 dirty flag by hardware', { confirmedBy: ['qemu'] }),
  S2HA: bit(184, 'Stage 2 access flag by hardware', { confirmedBy: ['qemu'] }),
  S2S: bit(185, 'Stage 2 faults stall'),
  S2R: bit(186, 'Stage 2 faults are recorded'),
  S2HAFT: bit(187, 'Stage 2 access flag of tables', spec),
  S2PIE: bit(188, 'Stage 2 permission indirection', spec),
  S2POE: bit(189, 'Stage 2 permission overlay', spec),
  DPT_VMATCH: field(191, 190, 'DPT VMID match', undefined, spec),
  S2NSW: bit(192, 'Stage 2 non-secure walk', spec),
  S2NSA: bit(193, 'Stage 2 non-secure output', spec),
  S2SL0_2: bit(194, 'Stage 2 start level, third bit', spec),
  S2DS: bit(195, 'Stage 2 52-bit output with small granules', spec),
  S2TTB: address(247, 196, 'Stage 2 table'),
  S2SKL: field(254, 253, 'Stage 2 skip level', undefined, spec),
  PARTID: field(287, 272, 'MPAM partition', undefined, spec),
  MECID: field(319, 304, 'Memory encryption context', undefined, spec),
  PMG: field(327, 320, 'MPAM performance group', undefined, spec),
  MPAM_NS: bit(328, 'MPAM non-secure', spec),
  AssuredOnly: bit(329, 'Stage 2 assured only', spec),
  TL0: bit(330, 'Stage 1 top level 0', spec),
  TL1: bit(331, 'Stage 1 top level 1', spec),
  VMSPtr: address(375, 332, 'Virtual machine structure', spec),
  S2POI: wide(511, 448, 'Stage 2 permission overlay indirection', spec),
})
