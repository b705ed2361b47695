// The vendors that this package knows. Each is loaded when it is first needed: layouts take time to prove themselves.
import { InputError, quoted } from './input-error.js'
import type { LogReader, Vendor } from './vendor.js'

interface Known {
  /** What `meta.json` of a capture calls it. */
  readonly platform: string
  /** How the names of its entries, fields and codes begin: the first is the right one. */
  readonly prefixes: readonly string[]
  /** Found in every line of a log that its reader may want. */
  readonly speaks: RegExp
  load(): Promise<{ readonly vendor: Vendor }>
}

const known = {
  vtd: {
    platform: 'intel',
    prefixes: ['vtd', 'vt-d', 'intel', 'dmar'],
    speaks: /DMAR|INTR-REMAP|VT-d|\[fault reason|\[DMA (?:Read|Write)/i,
    load: () => import('./vtd/index.js'),
  },
  amd: {
    platform: 'amd',
    prefixes: ['amd', 'amd-vi', 'amdvi'],
    // Some kernels break an event into two lines, and the second does not say whose it is.
    speaks: /AMD-Vi|amd_iommu|IO_PAGE_FAULT|\b[A-Z_]{6,40} device=[\da-f]{2,4}:/,
    load: () => import('./amd/index.js'),
  },
  smmuv3: {
    platform: 'arm',
    prefixes: ['smmuv3', 'smmu', 'arm'],
    speaks: /arm-smmu-v3|arm_smmu_|event (?:0x)?[0-9a-f]{2} received/i,
    load: () => import('./smmuv3/index.js'),
  },
  riscv: {
    platform: 'riscv',
    prefixes: ['riscv', 'risc-v', 'rv'],
    speaks: /riscv[,_-]iommu|iommu_pci|\bdevid: .{1,20} iotval: |Queue #\d{1,3} error;|Command queue error: fault:/i,
    load: () => import('./riscv/index.js'),
  },
} as const satisfies Readonly<Record<string, Known>>

export type VendorId = keyof typeof known

const ids = Object.keys(known) as VendorId[]
const of = (id: VendorId): Known => known[id]

const loadVendor = async (id: VendorId): Promise<Vendor> => (await of(id).load()).vendor

/** All of them, in the order in which they are listed everywhere. */
export const allVendors = (): Promise<Vendor[]> => Promise.all(ids.map(loadVendor))

/** Throws InputError for a platform that this version does not read. `file` says which platform it is. */
export const vendorOfPlatform = async (platform: string, file: string): Promise<Vendor> => {
  const id = ids.find((each) => of(each).platform === platform)
  if (id !== undefined) return loadVendor(id)
  const platforms = ids.map((each) => `"${of(each).platform}"`).join(', ')
  throw new InputError({ file, place: 'platform', expected: `one of ${platforms}`, found: quoted(platform) })
}

/** What captures call a vendor's machines. */
export const platformOf = (id: VendorId): string => of(id).platform

/** All platforms, as `platformOf` names them. */
export const platforms = (): string[] => ids.map(platformOf)

/** The vendor that somebody calls so: "intel", "vtd", "amd-vi", "arm". */
export const vendorNamed = (name: string): VendorId | undefined => ids.find((id) =>
  of(id).platform === name.toLowerCase() || of(id).prefixes.includes(name.toLowerCase()))

/** A name that begins with a vendor's, as "smmu.ste" does: the vendor, and what follows the first dot or colon. */
export const splitPrefix = (name: string): { readonly id: VendorId; readonly rest: string } | undefined => {
  const at = name.search(/[.:]/)
  const prefix = name.slice(0, Math.max(at, 0)).toLowerCase()
  const id = ids.find((each) => of(each).prefixes.includes(prefix))
  return id === undefined ? undefined : { id, rest: name.slice(at + 1) }
}

/** The vendors that a name may belong to: the one that it begins with, or all. */
export const vendorsOfName = async (name: string): Promise<Vendor[]> => {
  const split = splitPrefix(name)
  return split === undefined ? allVendors() : [await loadVendor(split.id)]
}

/** A vendor of whom a text speaks, and what every line has that its reader may want. */
export interface Speaking {
  readonly id: VendorId
  readonly speaks: RegExp
}

/** The vendors of whom a log, or a piece of one, speaks. */
export const vendorsOfLog = (text: string): Speaking[] =>
  ids.map((id): Speaking => ({ id, speaks: of(id).speaks })).filter(({ speaks }) => speaks.test(text))

/** A reader of one vendor's lines. */
export const loadReader = async (id: VendorId, ...handlers: Parameters<Vendor['createLogReader']>): Promise<LogReader> =>
  (await loadVendor(id)).createLogReader(...handlers)
