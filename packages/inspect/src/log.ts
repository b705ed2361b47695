// Explains a log: every IOMMU line in it, whoever wrote it, with repeats counted and devices summed up.
import type { Explained } from './explained.js'
import type { LogReader } from './vendor.js'
import { vendorsOfLog } from './vendors.js'

/** What a log says of one device. */
export interface DeviceSummary {
  readonly device: string
  readonly vendor?: string
  readonly faults: number
  /** Different combinations of access, address and reason. */
  readonly distinct: number
  readonly codes: readonly number[]
}

export interface Explanation {
  readonly schema: 'iommu.explain/1'
  readonly items: readonly Explained[]
  readonly devices: readonly DeviceSummary[]
  /** Lines about an IOMMU that are not faults: start-up messages and the like. */
  readonly otherLines: number
}

/** Of a line no more is read: kernels write no longer ones, and an expression must not see a megabyte at once. */
const LONGEST = 4096
/** SMMUs before version 3, which this package does not explain. */
const OLDER_SMMU = /\barm-smmu(?!-v3)\b[^:]{0,200}:.{0,80}(?:fault|unhandled context|event)/i
const ABOUT_IOMMU = /\b(?:DMAR(?:-IR)?|dmar\d{1,4}|INTR-REMAP|iommu|AMD-Vi|arm-smmu(?:-v3)?)\b/

const isFault = ({ kind }: Explained): boolean => kind === 'dma-fault' || kind === 'interrupt-fault'

/** What two reports must share to be one report, twice. */
const keyOf = (item: Explained): string => {
  const { kind, vendor, device, pasid, address, access, index, domainId, code, meaning, flags, details, input } = item
  return JSON.stringify([
    kind, vendor, device, pasid, address, access, index, domainId, code, meaning,
    flags?.map(({ value }) => value), details, kind === 'other-vendor' ? input : 0,
  ])
}

const summarise = (items: Iterable<Explained>): DeviceSummary[] => {
  const byDevice = new Map<string, { vendor: string | undefined; faults: number; distinct: number; codes: Set<number> }>()
  for (const item of items) {
    const { device, vendor, count, code } = item
    if (!isFault(item) || device === undefined) continue
    let known = byDevice.get(device)
    if (known === undefined) byDevice.set(device, (known = { vendor, faults: 0, distinct: 0, codes: new Set() }))
    known.faults += count
    known.distinct++
    if (code !== undefined) known.codes.add(code)
  }
  return [...byDevice].map(([device, { vendor, faults, distinct, codes }]) =>
    ({ device, ...(vendor === undefined ? {} : { vendor }), faults, distinct, codes: [...codes] }))
}

/** Every IOMMU line of a log; equal reports are counted, whatever their timestamps. */
export const explainLog = async (text: string): Promise<Explanation> => {
  const items = new Map<string, Explained>()
  let otherLines = 0
  const report = (item: Explained): void => {
    const key = keyOf(item)
    const known = items.get(key)
    items.set(key, known === undefined ? item : { ...known, count: known.count + 1 })
  }
  const other = (): void => { otherLines++ }
  const readers: LogReader[] = (await vendorsOfLog(text)).map((vendor) => vendor.createLogReader(report, other))
  for (const raw of text.split('\n')) {
    const line = raw.slice(0, LONGEST).trim()
    if (line === '' || readers.some((reader) => reader.take(line))) continue
    if (OLDER_SMMU.test(line)) report({ kind: 'other-vendor', input: line, count: 1, vendor: 'arm-smmu' })
    else if (line.includes(':') && ABOUT_IOMMU.test(line)) otherLines++
  }
  for (const reader of readers) reader.end()
  return { schema: 'iommu.explain/1', items: [...items.values()], devices: summarise(items.values()), otherLines }
}
