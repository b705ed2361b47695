// Finds a layout by the names that people use for it.
import type { Entry } from '@iommu/bits'
import { InputError, quoted } from './input-error.js'
import { nearest } from './nearest.js'
import type { Vendor } from './vendor.js'
import { allVendors, splitPrefix, vendorsOfName } from './vendors.js'

/** Every layout that this package knows, vendor by vendor. */
export const listEntries = async (): Promise<Entry[]> => (await allVendors()).flatMap(({ entries }) => entries)

/** The vendor's layout of that name, which may lack the vendor's. */
const entryIn = ({ id, entries, aliases }: Vendor, name: string): Entry | undefined => {
  const plain = name.trim().toLowerCase().replaceAll('_', '-')
  const whole = `${id}.${splitPrefix(plain)?.rest ?? plain}`
  const wanted = aliases[whole] ?? whole
  return entries.find((each) => each.name === wanted)
}

/** The layouts that a name may mean; capitals, underscores and a missing vendor do not matter. */
export const lookUpEntries = async (name: string): Promise<Entry[]> =>
  (await vendorsOfName(name.trim())).flatMap((vendor) => entryIn(vendor, name) ?? [])

const complain = (expected: string, found: string): InputError =>
  new InputError({ file: 'the arguments', place: 'the name of the entry', expected, found: quoted(found) })

/** Throws InputError for a name that is not known, with the nearest that is, and for one that several vendors have. */
export const findEntry = async (name: string): Promise<Entry> => {
  const [found, ...more] = await lookUpEntries(name)
  if (found !== undefined && more.length === 0) return found
  if (found !== undefined) throw complain(`one vendor's: ${[found, ...more].map((each) => each.name).join(', ')}`, name)
  const vendors = await allVendors()
  const near = nearest(name, vendors.flatMap(({ entries, aliases }) =>
    [...entries.map((each) => each.name), ...Object.keys(aliases)]))
  const right = vendors.map(({ aliases }) => aliases[near ?? '']).find((each) => each !== undefined) ?? near
  throw complain(
    right === undefined ? 'one such as vtd.pasid ("iommu help decode" lists them)' : `a known one (did you mean ${right}?)`,
    name,
  )
}
