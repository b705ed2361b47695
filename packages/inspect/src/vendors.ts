// The vendors that this package knows. Each is loaded when it is first needed: layouts take time to prove themselves.
import { InputError, quoted } from './input-error.js'
import type { Vendor } from './vendor.js'

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
    speaks: /DMAR|INTR-REMAP|VT-d|\[fault reason/i,
    load: () => import('./vtd/index.js'),
  },
  amd: {
    platform: 'amd',
    prefixes: ['amd', 'amd-vi', 'amdvi'],
    speaks: /AMD-Vi|amd_iommu|IO_PAGE_FAULT/,
    load: () => import('./amd/index.js'),
  },
  smmuv3: {
    platform: 'arm',
    prefixes: ['smmuv3', 'smmu', 'arm'],
    speaks: /arm-smmu-v3|arm_smmu_|event (?:0x)?[0-9a-f]{2} received/i,
    load: () => import('./smmuv3/index.js'),
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

/** The vendors of whom a log speaks. */
export const vendorsOfLog = (text: string): Promise<Vendor[]> =>
  Promise.all(ids.filter((id) => of(id).speaks.test(text)).map(loadVendor))
