// An explanation as labelled lines: what the command prints, and what a page shows.
import { readBdf } from './bdf.js'
import type { Explained } from './explained.js'
import type { DeviceSummary, Explanation } from './log.js'
import { hexCode } from './spell.js'

/** "why", "0x71  first stage: ..." */
export type ExplainedRow = readonly [label: string, text: string]

/** One item: what it is about, and its lines. */
export interface ExplainedBlock {
  readonly title: string
  readonly rows: readonly ExplainedRow[]
}

/** What does not differ from one item with the same code to the next. */
const SAID_ONCE: ReadonlySet<string> = new Set(['so', 'usual', 'next', 'source'])

const spell = ([high, low]: readonly [number, number]): string => (high === low ? `${low}` : `${high}:${low}`)

const confirmed = ({ confirmedBy, section }: Explained): string => {
  const by =
    confirmedBy === undefined
      ? ''
      : confirmedBy.length === 0
      ? 'confirmed by nobody outside'
      : `confirmed by ${confirmedBy.join(', ')}`
  const where = section === undefined ? '' : `${section}${section.endsWith('?') ? ' (section unchecked)' : ''}`
  return [by, where].filter((each) => each !== '').join(' · ')
}

/** What the codes of each vendor are called, and where those that are known come from. */
const UNKNOWN: Readonly<Record<string, string>> = {
  vtd: 'VT-d reasons known here do not include it', amd: 'AMD-Vi events known here do not include it',
  smmuv3: 'SMMUv3 events known here do not include it', riscv: 'RISC-V causes known here do not include it',
}
/** Vendors whose codes have no names. */
const NAMELESS: ReadonlySet<string> = new Set(['vtd', 'riscv'])

/** A code as the vendor's manual and logs write it. */
const codeText = (vendor: string | undefined, code: number): string => (vendor === 'riscv' ? String(code) : hexCode(code))

const whoOf = ({ kind, device = '', pasid, pasidSaid }: Explained): string => {
  const rid = readBdf(device)?.requesterId
  const id = rid === undefined ? '' : ` (requester id 0x${rid.toString(16).padStart(4, '0')})`
  const process = pasid !== undefined ? `, PASID ${pasid}` : kind !== 'dma-fault' || pasidSaid === false ? '' : ', no PASID'
  return `${device}${process}${id}`
}

/** The device as `iommu walk --rid` takes it. */
const ridOf = (device: string): string | undefined =>
  (readBdf(device) === undefined ? /^stream (0x[0-9a-f]{1,4})$/.exec(device)?.[1] : device)

/** Advice with the device and the address of this very report, as far as it gives them. */
const concrete = (text: string, { device = '', address, pasid, access }: Explained): string => {
  const rid = ridOf(device)
  return text
    .replace('--rid DEVICE --iova ADDRESS', (whole) => (
      `${whole}${pasid === undefined ? '' : ` --pasid ${pasid}`}${access === 'write' ? ' --write' : ''}`))
    .replaceAll('DEVICE', rid ?? 'DEVICE')
    .replaceAll('ADDRESS', address ?? 'ADDRESS')
}

const plural = (count: number, one: string, many: string): string => `${count.toLocaleString('en')} ${count === 1 ? one : many}`

/** Why it happened. Some vendors' reasons have numbers alone, others' events have names besides. */
const whyOf = ({ kind, vendor = '', code, name, meaning, suppressed }: Explained): ExplainedRow | undefined => {
  if (code !== undefined) {
    const named = NAMELESS.has(vendor) || name === undefined || meaning === undefined ? '' : `${name}: `
    return ['why', `${codeText(vendor, code)}  ${meaning === undefined
      ? `unknown: ${UNKNOWN[vendor] ?? 'no vendor known here has it'}` : `${named}${meaning}`}`]
  }
  if (kind === 'other-vendor') return ['note', `a line of an IOMMU (${vendor}) which this version does not explain`]
  if (kind === 'dma-fault' || kind === 'interrupt-fault') {
    return ['why', name === undefined ? 'the line gives no reason' : `unknown: an event called ${name}`]
  }
  if (suppressed !== undefined) return ['note', `${plural(suppressed, 'report', 'reports')} ${meaning}`]
  return meaning === undefined ? undefined : [name === undefined ? 'note' : 'is', meaning]
}

const flagValue = (value: number): string => (value === 0 ? '-' : value === 1 ? '+' : `=${value}`)

/** Addresses that are listed before the others are only counted. */
const LISTED = 3

/** One address, or several of reports that are the same but for it. */
const addressText = (addresses: readonly string[]): string => {
  if (addresses.length <= LISTED + 1) return addresses.join(', ')
  const sorted = [...addresses].sort((one, other) => (BigInt(one) < BigInt(other) ? -1 : 1))
  return `${addresses.slice(0, LISTED).join(', ')} and ${(addresses.length - LISTED).toLocaleString('en')} more, all from ${sorted[0]} to ${sorted.at(-1)}`
}

const rowsOf = (item: Explained, addresses: readonly string[]): ExplainedRow[] => {
  const {
    device, access, index, domainId, details = [], flags, reading, so, usual = [], next = [], bits, values, alias, fields, about = [],
  } = item
  const rows: ExplainedRow[] = []
  if (device !== undefined) rows.push(['who', whoOf(item)])
  if (access !== undefined) rows.push(['what', `${access} of ${addressText(addresses) || 'an unknown address'}`])
  else if (addresses.length > 0) rows.push(['at', addressText(addresses)])
  if (index !== undefined) rows.push(['what', `interrupt with index 0x${index.toString(16)}`])
  if (domainId !== undefined) rows.push(['domain', `0x${domainId.toString(16)}`])
  if (bits !== undefined) rows.push(['bits', bits.map(spell).join(', ')])
  const why = whyOf(item)
  if (why !== undefined) rows.push(why)
  if (flags !== undefined) rows.push(['flags', flags.map(({ name, value }) => `${name}${flagValue(value)}`).join(' ')])
  if (details.length > 0) rows.push(['how', details.join(' · ')])
  if (reading !== undefined) rows.push(['read', reading])
  for (const [value, said] of Object.entries(values ?? {})) rows.push(['value', `${value} ${said}`])
  if (alias !== undefined) rows.push(['also', alias.join(', ')])
  if (fields !== undefined) rows.push(['fields', fields.join(' ')])
  rows.push(...about)
  if (so !== undefined) rows.push(['so', so])
  if (usual.length > 0) rows.push(['usual', usual.join(' · ')])
  for (const each of next) rows.push(['next', concrete(each, item)])
  const source = confirmed(item)
  if (source !== '') rows.push(['source', source])
  return rows
}

const sumOf = (items: readonly Explained[], { device, vendor, faults, distinct, reasons, first, last }: DeviceSummary): string[] => {
  const when = first === undefined || last === undefined ? '' : first === last ? `, at ${first}` : `, ${first} to ${last}`
  const lines = reasons.map(({ code, count }) => {
    const known = items.find((item) => item.vendor === vendor && item.code === code && item.device === device)
    if (code === undefined) return `  no known reason  ${plural(count, 'time', 'times')}`
    const named = NAMELESS.has(vendor ?? '') || known?.meaning === undefined ? '' : `${known.name}: `
    return `  ${codeText(vendor, code)}  ${plural(count, 'time', 'times')}  ${named}${known?.meaning ?? 'unknown'}`
  })
  return [`${device}: ${plural(faults, 'fault', 'faults')}, ${distinct.toLocaleString('en')} different${when}`, ...lines]
}

interface Group {
  readonly item: Explained
  readonly addresses: string[]
  count: number
}

/** Items that differ in their address alone, together. */
const grouped = (items: readonly Explained[]): Group[] => {
  const groups = new Map<string, Group>()
  for (const item of items) {
    const { address, input: _input, count, ...alike } = item
    const key = JSON.stringify(item.kind === 'dma-fault' ? alike : [alike, item.input])
    const known = groups.get(key)
    if (known === undefined) groups.set(key, { item, addresses: address === undefined ? [] : [address], count })
    else {
      known.count += count
      if (address !== undefined) known.addresses.push(address)
    }
  }
  return [...groups.values()]
}

/** Every item with its lines; what is the same for several items is said with the first of them. */
export const explainedBlocks = ({ items }: Explanation): ExplainedBlock[] => {
  const explained = new Set<string>()
  return grouped(items).map(({ item, addresses, count }) => {
    const title = item.kind === 'field' || item.kind === 'statement' ? item.name as string : item.input
    const key = `${item.kind} ${item.vendor} ${item.code} ${item.so}`
    const rows = rowsOf(item, addresses).filter(([label]) => !explained.has(key) || !SAID_ONCE.has(label))
    if (item.code !== undefined) explained.add(key)
    return { title: count > 1 ? `${title}  (${plural(count, 'time', 'times')})` : title, rows }
  })
}

/** Counts of devices are the least where the kernel left reports out. */
const suppressedSaid = (items: readonly Explained[]): string[] => {
  const all = items.reduce((sum, { suppressed = 0 }) => sum + suppressed, 0)
  return all === 0 ? [] : [`${plural(all, 'report', 'reports')} left out by the kernel, of devices that it does not name: the counts are the least`]
}

/** What is said below the items: each device's sum and the lines that were not read as faults, where there is more than one item, or none. */
export const explanationSummary = ({ items, devices, otherLines, leftOut }: Explanation): string[] => {
  if (items.length === 1 && (items[0] as Explained).count === 1) return []
  return [
    ...devices.flatMap((device) => sumOf(items, device)),
    ...suppressedSaid(items),
    ...(otherLines === 0 ? [] : [`${otherLines.toLocaleString('en')} other IOMMU ${otherLines === 1 ? 'line, not read as a fault' : 'lines, not read as faults'}`]),
    ...(leftOut === undefined ? [] : [`${plural(leftOut, 'report is', 'reports are')} of too many kinds to be listed`]),
  ]
}
