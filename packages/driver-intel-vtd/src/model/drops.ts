// What each invalidation descriptor names, by the tags that copies hold: for the queue, which has the caches forget it, and for
// adversarial mode.
import { decode, decodeField, describe, renderLine } from '@iommu/bits'
import { dropOf, frameOf, sizedRange } from '@iommu/hardware'
import type { Command, CommandEvent, FrameRange, Names } from '@iommu/hardware'
import {
  contextCacheDescriptor, descriptorLayout, DESCRIPTOR_TYPES, deviceTlbDescriptor, GRANULARITY, iotlbDescriptor, PASID_CACHE_GRANULARITY,
  pasidCacheDescriptor, pasidDeviceTlbDescriptor, pasidIotlbDescriptor, waitDescriptor,
} from '../tables/index.js'

type Words = readonly bigint[]

/** Everything: a global invalidation of each kind, or SRTP where CAP.ESRTPS is set. Device TLBs are not the unit's. */
export const everything: Names = { entry: () => true, pages: { under: () => true } }

/** Address ranges of page-selective descriptors: 2^AM pages from ADDR on, low bits of the address ignored. */
const pageRange = (address: bigint, mask: number): FrameRange => {
  const first = Math.floor(frameOf(address) / 2 ** mask) * 2 ** mask
  return [first, first + 2 ** mask - 1]
}

const contextCache = (words: Words): Names => {
  const d = decode(contextCacheDescriptor, words)
  const mask = (0xffff & ~7) | (7 & ~((1 << d.FM) - 1))
  return {
    entry: (tag) => tag.cache === 'context' && (d.G === GRANULARITY.global
      || ((tag.absent || tag.domain === d.DID) && (d.G === GRANULARITY.domain || (tag.source & mask) === (d.SID & mask)))),
  }
}

const pasidCache = (words: Words): Names => {
  const d = decode(pasidCacheDescriptor, words)
  return {
    entry: (tag) => tag.cache === 'pasid' && (d.G === PASID_CACHE_GRANULARITY.global
      || ((tag.absent || tag.domain === d.DID) && (d.G === PASID_CACHE_GRANULARITY.domain || tag.pasid === d.PASID))),
  }
}

/** The range that a descriptor names, if any. The hint says that paging structures may stay. */
const within = ({ G, ADDR, AM, IH }: { G: number; ADDR: bigint; AM: number; IH: number }): Omit<NonNullable<Names['pages']>, 'under'> =>
  (G === GRANULARITY.page ? { range: pageRange(ADDR, AM), leavesOnly: IH === 1 } : {})

const iotlb = (words: Words): Names => {
  const d = decode(iotlbDescriptor, words)
  return { pages: { under: (tag) => d.G === GRANULARITY.global || (tag.space === 'second' && tag.domain === d.DID), ...within(d) } }
}

const pasidIotlb = (words: Words): Names => {
  const d = decode(pasidIotlbDescriptor, words)
  return { pages: { under: (tag) => tag.space === 'first' && tag.domain === d.DID && tag.pasid === d.PASID, ...within(d) } }
}

const deviceTlb = (words: Words): Names => {
  const d = decode(deviceTlbDescriptor, words)
  return { device: { source: d.SID, pasid: 'all', range: sizedRange(d.ADDR, d.S === 1) } }
}

const pasidDeviceTlb = (words: Words): Names => {
  const d = decode(pasidDeviceTlbDescriptor, words)
  return { device: { source: d.SID, pasid: d.G === 1 ? 'all' : d.PASID, range: sizedRange(d.ADDR, d.S === 1) } }
}

/** By type. The others name nothing that is cached here. */
export const drops: Readonly<Record<number, { readonly kind: string; readonly names: (words: Words) => Names }>> = {
  [DESCRIPTOR_TYPES.contextCache]: { kind: 'context-cache', names: contextCache },
  [DESCRIPTOR_TYPES.pasidCache]: { kind: 'pasid-cache', names: pasidCache },
  [DESCRIPTOR_TYPES.iotlb]: { kind: 'iotlb', names: iotlb },
  [DESCRIPTOR_TYPES.pasidIotlb]: { kind: 'iotlb', names: pasidIotlb },
  [DESCRIPTOR_TYPES.deviceTlb]: { kind: 'device-tlb', names: deviceTlb },
  [DESCRIPTOR_TYPES.pasidDeviceTlb]: { kind: 'device-tlb', names: pasidDeviceTlb },
}

/** The manual's rule for caching mode, which the model cannot tell from a needless flush (section 6.1). */
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
  return { text, kind: found.kind, drop: dropOf(found.names(words)), completes: false, fences: false, ...mandated }
}
