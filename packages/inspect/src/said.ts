// What is said of a walk and of an inspection, in the words that a terminal and a page share.
import type { Paint } from '@iommu/bits'
import type { InspectedDevice, Inspection } from './inspect.js'
import { hexCode } from './spell.js'
import type { WalkResult } from './walk.js'

const plain: Paint = (_role, text) => text

const SIZES: readonly (readonly [shift: bigint, unit: string])[] = [[30n, 'GiB'], [20n, 'MiB'], [10n, 'KiB']]
const sizeOf = (bytes: bigint): string => {
  const found = SIZES.find(([shift]) => bytes >> shift > 0n)
  return found === undefined ? `${bytes} bytes` : `${bytes >> found[0]} ${found[1]}`
}

/** "translated to 0x3612340, read and write, 2 MiB page, domain 5", "blocked" with the fault, or "unknown" and what is missing. */
export const walkAnswer = (result: WalkResult, paint: Paint = plain): string => {
  if (result.outcome === 'unknown') {
    const { missing, why } = result.unknown as NonNullable<WalkResult['unknown']>
    return `${paint('wrong', 'unknown')}: ${missing === undefined ? why : `${missing} is missing from the source, and beyond it nothing is known`}`
  }
  if (result.outcome === 'blocked') {
    const { fault } = result
    if (fault === undefined) return `${paint('wrong', 'blocked')}, and no event tells of it`
    const meaning = fault.meaning === undefined ? '' : `: ${fault.meaning}`
    const note = fault.note === undefined ? '' : ` (${fault.note})`
    return `${paint('wrong', 'blocked')}: ${hexCode(fault.code)} ${fault.name}${meaning}${fault.recorded ? '' : '; not logged'}${note}`
  }
  const { read, write } = result.permissions as { read: boolean; write: boolean }
  const rights = [read ? 'read' : '', write ? 'write' : ''].filter((each) => each !== '').join(' and ')
  const page = result.pageEntries > 0 ? `, ${sizeOf(BigInt(result.pageSize ?? 0))} page` : ''
  return `${paint('set', 'translated')} to ${paint('address', result.address as string)}, ${rights}${page}, ${result.tag}`
}

/** "intel, legacy mode, root table at 0x1d12000, 11 devices" */
export const inspectionTitle = ({ platform, mode, rootTable, rootTitle, devices, devicesFrom }: Inspection): string => {
  const where = mode === 'off' ? `${platform}, translation off`
    : `${platform}${mode === 'on' ? '' : `, ${mode} mode`}, ${rootTitle} at ${rootTable}`
  return `${where}, ${devices.length} ${devices.length === 1 ? 'device' : 'devices'}${devicesFrom === 'tables' ? ' in its tables' : ''}`
}

/** Device names without a segment that is the same for all. */
export const shortNames = (devices: readonly Pick<InspectedDevice, 'bdf'>[]): ((bdf: string) => string) => {
  const one = devices.every(({ bdf }) => bdf.startsWith('0000:'))
  return (bdf) => (one ? bdf.replace(/^0000:/, '') : bdf)
}

type Fault = Inspection['faults'][number]

/** Faults that differ in their address alone, as one: hardware may refuse a transfer piece by piece. */
const alike = (faults: readonly Fault[]): { readonly first: Fault; readonly more: number }[] => {
  const groups = new Map<string, { first: Fault; more: number }>()
  for (const fault of faults) {
    const key = JSON.stringify({ ...fault, address: '' })
    const known = groups.get(key)
    if (known === undefined) groups.set(key, { first: fault, more: 0 })
    else known.more++
  }
  return [...groups.values()]
}

/** The faults that nobody had read, one line for those that are alike. */
export const faultLines = ({ faults, devices }: Inspection): string[] => {
  const short = shortNames(devices)
  return alike(faults).map(({ first: { device, access, address, name, code, pasid }, more }) =>
    `${short(device)}${pasid === undefined ? '' : ` PASID ${pasid}`}, ${access} of ${address}${
      more === 0 ? '' : ` and ${more} more like it`}: ${hexCode(code)} ${name}`)
}
