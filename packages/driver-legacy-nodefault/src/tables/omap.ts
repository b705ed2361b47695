// OMAP MMU: registers of one instance, and short descriptors without attributes.
import { address, bit, entry, field } from '@iommu/bits'
import { onlyReadWrite } from './shape.js'
import { shortShape } from './short-descriptor.js'

const of = (title: string, section: string) => ({ title, bits: 32, wordBits: 32, section, confirmedBy: ['linux'] } as const)
const source = 'omap-iopgtable.h'

/** Bytes from one instance's registers to the next one's, as the model lays them out. */
export const INSTANCE_BYTES = 0x100
/** Instances of the modelled chip; a device is known by the number of its instance. */
export const INSTANCES = 64

export const OFFSETS = {
  IRQSTATUS: 0x18, IRQENABLE: 0x1c, CNTL: 0x44, FAULT_AD: 0x48, TTB: 0x4c, LOCK: 0x50, LD_TLB: 0x54, CAM: 0x58, RAM: 0x5c,
  GFLUSH: 0x60, FLUSH_ENTRY: 0x64, GP_REG: 0x88,
} as const

export const control = entry('omap.cntl', { ...of('MMU control', 'omap-iommu.h MMU_CNTL'), reserved: [[31, 4], [0, 0]] }, {
  MMU_EN: bit(1, 'Translation; 0: addresses pass'),
  TWL_EN: bit(2, 'Hardware walks the tables'),
  EML_TLB: bit(3, 'Only the TLB of the emulator is updated'),
})

export const interrupts = entry('omap.irqstatus', { ...of('Interrupts', 'omap-iommu.h MMU_IRQ_*'), reserved: [[31, 5]] }, {
  TLBMISS: bit(0, 'TLB miss'),
  TRANSLATIONFAULT: bit(1, 'Translation fault'),
  EMUMISS: bit(2, 'TLB miss of the emulator'),
  TABLEWALKFAULT: bit(3, 'Error while walking the tables'),
  MULTIHITFAULT: bit(4, 'Several TLB entries match'),
})

export const cam = entry('omap.cam', { ...of('TLB entry, tag', 'omap-iommu.h MMU_CAM_*'), reserved: [[11, 4]] }, {
  PGSZ: field(1, 0, 'Page size', { 0: '1 MiB', 1: '64 KiB', 2: '4 KiB', 3: '16 MiB' }),
  V: bit(2, 'Valid'),
  P: bit(3, 'Preserved by a flush of all'),
  VATAG: address(31, 12, 'Device address'),
})
export const SMALL_PAGE = 2

/** Bits that would say endianness and element size; Linux leaves them zero, and no manual was at hand. */
const shortEntries = {
  table: entry('omap.iopgd', { ...of('Level 0 entry: a table', source), reserved: [[9, 2]] }, {
    TYPE: field(1, 0, 'Kind', { 0: 'nothing', 1: 'table', 2: 'section' }),
    BASE: address(31, 10, 'Table'),
  }),
  pages: {
    section: entry('omap.section', { ...of('Level 0 entry: 1 MiB', source), ignored: [[17, 2], [19, 19]] }, {
      TYPE: field(1, 0, 'Kind'), SUPER: bit(18, '16 MiB in 16 copies'), BASE: address(31, 20, 'Page'),
    }),
    supersection: entry('omap.supersection', { ...of('Level 0 entry: 16 MiB', source), ignored: [[17, 2], [23, 19]] }, {
      TYPE: field(1, 0, 'Kind'), SUPER: bit(18, '16 MiB in 16 copies'), BASE: address(31, 24, 'Page'),
    }),
    small: entry('omap.iopte', { ...of('Level 1 entry: 4 KiB', source), ignored: [[11, 2]] }, {
      TYPE: field(1, 0, 'Kind', { 0: 'nothing', 1: 'large page', 2: 'small page', 3: 'small page' }), BASE: address(31, 12, 'Page'),
    }),
    large: entry('omap.iopte-large', { ...of('Level 1 entry: 64 KiB in 16 copies', source), ignored: [[15, 2]] }, {
      TYPE: field(1, 0, 'Kind'), BASE: address(31, 16, 'Page'),
    }),
  },
} as const

export const omapShape = shortShape({
  name: 'omap', ...shortEntries, attributes: () => ({}), permissions: () => ({ read: true, write: true }), refuses: onlyReadWrite,
})
