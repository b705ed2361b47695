// Counts reports of a log: equal ones together, each device's sum, and never more kinds than memory has room for.
import type { Explained } from './explained.js'
import type { LogPlace, Report } from './vendor.js'

/** How often a device met one reason. */
export interface ReasonCount {
  /** Absent: the report gave none, or one that is not known. */
  readonly code?: number
  readonly count: number
}

/** What a log says of one device. */
export interface DeviceSummary {
  readonly device: string
  readonly vendor?: string
  readonly faults: number
  /** Different combinations of access, address and reason; at least so many, where there are very many. */
  readonly distinct: number
  readonly codes: readonly number[]
  /** In the order in which they were first met. */
  readonly reasons: readonly ReasonCount[]
  /** When the first and the last fault was reported, as the log spells it. */
  readonly first?: string
  readonly last?: string
}

export interface Tally {
  readonly add: Report
  /** In the order in which reports began. */
  result(): { readonly items: Explained[]; readonly devices: DeviceSummary[]; readonly leftOut: number }
}

/** Items that are kept each for itself. Then those that differ in their address alone are one, and then none is new. */
const MOST_ITEMS = 2 ** 15
const MOST_FOLDED = 2 ** 12
const MOST_DEVICES = 2 ** 14

interface Counted {
  readonly item: Explained
  /** Of the first of them. */
  readonly at: LogPlace
  count: number
  suppressed: number
}

interface DeviceCount {
  readonly device: string
  readonly vendor: string | undefined
  faults: number
  distinct: number
  /** By code; -1 where there is none. */
  readonly reasons: Map<number, number>
  first: LogPlace
  last: LogPlace
}

const NO_CODE = -1

const isFault = ({ kind }: Explained): boolean => kind === 'dma-fault' || kind === 'interrupt-fault'

/** Stands in no text that reports give. */
const BETWEEN = '\u0000'

/** What two reports must share to be one report, twice. Made for every line of a log, and so not by way of JSON. */
const keyOf = (item: Explained, address: string | undefined, details: readonly string[] | undefined): string => {
  const { kind, vendor, device, pasid, access, index, domainId, code, name, meaning, flags, input } = item
  let key = `${kind}${BETWEEN}${vendor}${BETWEEN}${device}${BETWEEN}${pasid}${BETWEEN}${address}${BETWEEN}${access}${BETWEEN}${index}${BETWEEN}${domainId}${BETWEEN}${code}`
  if (code === undefined) key += `${BETWEEN}${name}${BETWEEN}${meaning}`
  if (flags !== undefined) for (const { value } of flags) key += `${BETWEEN}${value}`
  if (details !== undefined) for (const each of details) key += `${BETWEEN}${each}`
  return kind === 'other-vendor' ? `${key}${BETWEEN}${input}` : key
}

/** Stands for reports at very many addresses. */
const folded = ({ address: _address, details: _details, ...item }: Explained): Explained =>
  ({ ...item, details: ['at very many addresses, which are not listed each for itself'] })

const inOrder = <T>(all: readonly T[], placeOf: (each: T) => LogPlace): T[] =>
  [...all].sort((one, other) => placeOf(one).order - placeOf(other).order)

export const createTally = (): Tally => {
  const items = new Map<string, Counted>()
  const beyond = new Map<string, Counted>()
  const byDevice = new Map<string, DeviceCount>()
  let leftOut = 0

  /** Whether it was the first of its kind; undefined where it has no place. */
  const count = (item: Explained, at: LogPlace): boolean | undefined => {
    const key = keyOf(item, item.address, item.details)
    const known = items.get(key)
    if (known !== undefined) {
      known.count += at.times
      known.suppressed += item.suppressed ?? 0
      return false
    }
    if (items.size < MOST_ITEMS) {
      items.set(key, { item, at, count: at.times, suppressed: item.suppressed ?? 0 })
      return true
    }
    const wide = keyOf(item, undefined, undefined)
    const fold = beyond.get(wide)
    if (fold !== undefined) {
      fold.count += at.times
      return false
    }
    if (beyond.size >= MOST_FOLDED) return undefined
    beyond.set(wide, { item: folded(item), at, count: at.times, suppressed: 0 })
    return true
  }

  const sum = ({ device, vendor, code }: Explained, isNew: boolean, at: LogPlace): boolean => {
    if (device === undefined) return true
    // Logs of two machines may name two devices alike.
    const key = `${vendor}${BETWEEN}${device}`
    let known = byDevice.get(key)
    if (known === undefined) {
      if (byDevice.size >= MOST_DEVICES) return false
      byDevice.set(key, (known = { device, vendor, faults: 0, distinct: 0, reasons: new Map(), first: at, last: at }))
    }
    known.faults += at.times
    if (isNew) known.distinct++
    if (at.order < known.first.order) known.first = at
    if (at.order > known.last.order) known.last = at
    const reason = code ?? NO_CODE
    if (known.reasons.has(reason) || known.reasons.size < MOST_FOLDED) known.reasons.set(reason, (known.reasons.get(reason) ?? 0) + at.times)
    return true
  }

  return {
    add(item, at) {
      const isNew = count(item, at)
      const summed = isFault(item) && sum(item, isNew === true, at)
      if (isNew === undefined && !summed) leftOut += at.times
    },
    result: () => ({
      items: inOrder([...items.values(), ...beyond.values()], ({ at }) => at)
        .map(({ item, count: times, suppressed }) => (
          times === item.count ? item : { ...item, count: times, ...(suppressed === 0 ? {} : { suppressed }) })),
      devices: inOrder([...byDevice.values()], ({ first }) => first).map(({ device, vendor, faults, distinct, reasons, first, last }) => ({
        device, ...(vendor === undefined ? {} : { vendor }), faults, distinct,
        codes: [...reasons.keys()].filter((code) => code !== NO_CODE),
        reasons: [...reasons].map(([code, times]) => ({ ...(code === NO_CODE ? {} : { code }), count: times })),
        ...(first.time === undefined ? {} : { first: first.time }), ...(last.time === undefined ? {} : { last: last.time }),
      })),
      leftOut,
    }),
  }
}
