// What each invalidation descriptor names, as adversarial mode asks: by the tags that copies hold.
import { decode, decodeField, describe, renderLine } from '@iommu/bits'
import { dropsNothing } from '@iommu/hardware'
import type { Command, CommandEvent, Drop, Held } from '@iommu/hardware'
import {
  contextCacheDescriptor, DESCRIPTOR_TYPES, deviceTlbDescriptor, GRANULARITY, iotlbDescriptor, PASID_CACHE_GRANULARITY,
  pasidCacheDescriptor, pasidDeviceTlbDescriptor, pasidIotlbDescriptor, waitDescriptor,
} from '../tables/index.js'
import { descriptorLayout, deviceTlbRange, pageRange } from './queue.js'

type Words = readonly bigint[]
type Range = readonly [first: number, last: number]
type Place = Pick<Held<unknown>, 'first' | 'last'>

const meets = ([first, last]: Range, held: Place): boolean => held.first <= last && held.last >= first

/** Everything: a global invalidation of each kind, or SRTP where CAP.ESRTPS is set. Device TLBs are not the unit's. */
export const dropAll: Drop = { ...dropsNothing, entry: () => true, translation: () => true }

const contextCache = (words: Words): Drop => {
  const d = decode(contextCacheDescriptor, words)
  const mask = (0xffff & ~7) | (7 & ~((1 << d.FM) - 1))
  return {
    ...dropsNothing,
    entry: (tag) => tag.cache === 'context' && (d.G === GRANULARITY.global
      || ((tag.absent || tag.domain === d.DID) && (d.G === GRANULARITY.domain || (tag.source & mask) === (d.SID & mask)))),
  }
}

const pasidCache = (words: Words): Drop => {
  const d = decode(pasidCacheDescriptor, words)
  return {
    ...dropsNothing,
    entry: (tag) => tag.cache === 'pasid' && (d.G === PASID_CACHE_GRANULARITY.global
      || ((tag.absent || tag.domain === d.DID) && (d.G === PASID_CACHE_GRANULARITY.domain || tag.pasid === d.PASID))),
  }
}

/** Pages of a tag. The hint says that paging structures may stay. */
const pages = (named: (held: Pick<Held<unknown>, 'tag'>) => boolean, d: { G: number; ADDR: bigint; AM: number; IH: number }): Drop => ({
  ...dropsNothing,
  translation: (held) => named(held) && (d.G !== GRANULARITY.page
    || (meets(pageRange(d.ADDR, d.AM), held) && (d.IH === 0 || held.kind === 'leaf'))),
})

const iotlb = (words: Words): Drop => {
  const d = decode(iotlbDescriptor, words)
  return pages(({ tag }) => d.G === GRANULARITY.global || (tag.space === 'second' && tag.domain === d.DID), d)
}

const pasidIotlb = (words: Words): Drop => {
  const d = decode(pasidIotlbDescriptor, words)
  return pages(({ tag }) => tag.space === 'first' && tag.domain === d.DID && tag.pasid === d.PASID, d)
}

const device = (source: number, pasid: number | 'all', range: Range): Drop => ({
  ...dropsNothing,
  device: (held) => held.tag.domain === source && (pasid === 'all' || held.tag.pasid === pasid) && meets(range, held),
})

const deviceTlb = (words: Words): Drop => {
  const d = decode(deviceTlbDescriptor, words)
  return device(d.SID, 'all', deviceTlbRange(d.ADDR, d.S === 1))
}

const pasidDeviceTlb = (words: Words): Drop => {
  const d = decode(pasidDeviceTlbDescriptor, words)
  return device(d.SID, d.G === 1 ? 'all' : d.PASID, deviceTlbRange(d.ADDR, d.S === 1))
}

const drops: Readonly<Record<number, { readonly kind: string; readonly of: (words: Words) => Drop }>> = {
  [DESCRIPTOR_TYPES.contextCache]: { kind: 'context-cache', of: contextCache },
  [DESCRIPTOR_TYPES.pasidCache]: { kind: 'pasid-cache', of: pasidCache },
  [DESCRIPTOR_TYPES.iotlb]: { kind: 'iotlb', of: iotlb },
  [DESCRIPTOR_TYPES.pasidIotlb]: { kind: 'iotlb', of: pasidIotlb },
  [DESCRIPTOR_TYPES.deviceTlb]: { kind: 'device-tlb', of: deviceTlb },
  [DESCRIPTOR_TYPES.pasidDeviceTlb]: { kind: 'device-tlb', of: pasidDeviceTlb },
}

/** The manual's rule for caching mode, which the model cannot tell from a needless flush (reference 5). */
const CACHING = 'caching mode: an entry or a second-stage page that was absent is flushed when it comes'

/** A descriptor as a command. `told`: whether a status has been written where a wait descriptor says. */
export const commandOf = ({ words }: CommandEvent, cachingMode: boolean, told: (address: bigint, data: number) => boolean): Command | undefined => {
  const layout = descriptorLayout(words)
  if (layout === undefined) return undefined
  const text = renderLine(describe(layout, words))
  const type = decodeField(waitDescriptor, words, 'Type')
  if (type === DESCRIPTOR_TYPES.wait) {
    const d = decode(waitDescriptor, words)
    return { text, kind: 'wait', completes: d.SW === 1 && told(d.StatusAddress, d.StatusData), fences: d.FN === 1 }
  }
  const found = drops[type]
  if (found === undefined) return undefined
  const mandated = cachingMode && found.kind !== 'device-tlb' ? { mandated: CACHING } : {}
  return { text, kind: found.kind, drop: found.of(words), completes: false, fences: false, ...mandated }
}
