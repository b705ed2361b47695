// What must be flushed, and in which order. Pure: facts of a change become descriptors.
import { encode } from '@iommu/bits'
import { aligned, coveringShift, sizedAddress, WHOLE_SPACE } from '@iommu/hardware'
import {
  contextCacheDescriptor, DESCRIPTOR_TYPES, deviceTlbDescriptor, GRANULARITY, iotlbDescriptor,
  PASID_CACHE_GRANULARITY, pasidCacheDescriptor, pasidDeviceTlbDescriptor, pasidIotlbDescriptor, waitDescriptor,
} from '../tables/index.js'
import type { Capabilities } from '../tables/index.js'
import type { Descriptor, Flushes } from './plan.js'

/** Writes `data` to an address once everything before it is complete. */
export const waitFor = (address: bigint, data: number): Descriptor =>
  encode(waitDescriptor, { Type: DESCRIPTOR_TYPES.wait, SW: 1, FN: 1, StatusData: data, StatusAddress: address })

/** A device TLB that has to be told: its source, and its ATS queue depth as the capability gives it (0 means 32). */
export interface DeviceTlb {
  readonly source: number
  readonly queueDepth: number
}

const contextCacheDevice = (domainId: number, source: number): Descriptor =>
  encode(contextCacheDescriptor, { Type: DESCRIPTOR_TYPES.contextCache, G: GRANULARITY.device, DID: domainId, SID: source })

export const contextCacheGlobal = (): Descriptor =>
  encode(contextCacheDescriptor, { Type: DESCRIPTOR_TYPES.contextCache, G: GRANULARITY.global })

export const iotlbGlobal = (): Descriptor =>
  encode(iotlbDescriptor, { Type: DESCRIPTOR_TYPES.iotlb, G: GRANULARITY.global, DR: 1, DW: 1 })

export const iotlbDomain = (domainId: number): Descriptor =>
  encode(iotlbDescriptor, { Type: DESCRIPTOR_TYPES.iotlb, G: GRANULARITY.domain, DR: 1, DW: 1, DID: domainId })

export const pasidCacheGlobal = (): Descriptor =>
  encode(pasidCacheDescriptor, { Type: DESCRIPTOR_TYPES.pasidCache, G: PASID_CACHE_GRANULARITY.global })

const pasidCacheSelective = (domainId: number, pasid: number): Descriptor =>
  encode(pasidCacheDescriptor, {
    Type: DESCRIPTOR_TYPES.pasidCache, G: PASID_CACHE_GRANULARITY.pasid, DID: domainId, PASID: pasid,
  })

export const pasidIotlbAll = (domainId: number, pasid: number): Descriptor =>
  encode(pasidIotlbDescriptor, { Type: DESCRIPTOR_TYPES.pasidIotlb, G: GRANULARITY.pasid, DID: domainId, PASID: pasid })

/** Invalidates `2^pageShift` aligned bytes, or everything, in a device TLB. PASID 0 takes the form without PASID. */
export const deviceTlb = (
  device: DeviceTlb, pasid: number, range?: { readonly start: bigint; readonly pageShift: number },
): Descriptor => {
  const MaxInvsPend = device.queueDepth & 0x1f
  const { start, pageShift } = range ?? { start: 0n, pageShift: WHOLE_SPACE }
  const S = pageShift > 12 ? 1 : 0
  const ADDR = sizedAddress(start, pageShift)
  return pasid === 0
    ? encode(deviceTlbDescriptor, { Type: DESCRIPTOR_TYPES.deviceTlb, MaxInvsPend, SID: device.source, S, ADDR })
    : encode(pasidDeviceTlbDescriptor, {
        Type: DESCRIPTOR_TYPES.pasidDeviceTlb, MaxInvsPend, SID: device.source, PASID: pasid, S,
        // Bit 11 is S in this form, and the address bits below the size are ones from bit 12 on.
        ADDR,
      })
}

/** What a legacy context entry says about itself when it goes or comes. */
export interface ContextFacts {
  readonly source: number
  /** DID of the entry that goes; undefined: none was present. */
  readonly oldDomainId: number | undefined
  readonly newDomainId: number | undefined
  readonly deviceTlbs: readonly DeviceTlb[]
}

/** Legacy context entry: context cache, then IOTLB, then device TLB, each completed before the next (Linux, `intel_context_flush_no_pasid`). */
export const flushContext = (facts: ContextFacts, { cachingMode, writeBufferFlush }: Capabilities): Flushes => ({
  removed: facts.oldDomainId === undefined ? [] : [
    [contextCacheDevice(facts.oldDomainId, facts.source)],
    [iotlbDomain(facts.oldDomainId)],
    facts.deviceTlbs.map((device) => deviceTlb(device, 0)),
  ],
  added: facts.newDomainId === undefined || !cachingMode ? [] : [
    [contextCacheDevice(0, facts.source)],
    [iotlbDomain(facts.newDomainId)],
  ],
  writeBuffer: facts.newDomainId !== undefined && writeBufferFlush && !cachingMode,
})

/** What a PASID entry says about itself when it goes or comes. */
export interface PasidFacts {
  readonly pasid: number
  /** DID and stage of the entry that goes; undefined: none was present. */
  readonly old: { readonly domainId: number; readonly secondStage: boolean } | undefined
  readonly next: { readonly domainId: number; readonly secondStage: boolean } | undefined
  readonly deviceTlbs: readonly DeviceTlb[]
}

const pasidIotlb = ({ domainId, secondStage }: { domainId: number; secondStage: boolean }, pasid: number): Descriptor =>
  secondStage ? iotlbDomain(domainId) : pasidIotlbAll(domainId, pasid)

/** PASID entry: PASID cache, then IOTLB, then device TLB, each completed before the next (Linux, `intel_pasid_tear_down_entry`). */
export const flushPasid = (facts: PasidFacts, { cachingMode, writeBufferFlush }: Capabilities): Flushes => ({
  removed: facts.old === undefined ? [] : [
    [pasidCacheSelective(facts.old.domainId, facts.pasid)],
    [pasidIotlb(facts.old, facts.pasid)],
    facts.deviceTlbs.map((device) => deviceTlb(device, facts.pasid)),
  ],
  added: facts.next === undefined || !cachingMode ? [] : [
    [pasidCacheSelective(facts.next.domainId, facts.pasid)],
    [pasidIotlb(facts.next, facts.pasid)],
  ],
  writeBuffer: facts.next !== undefined && writeBufferFlush && !cachingMode,
})

/** Scalable-mode context entry: no domain id of its own; its PASID entries have been torn down before. */
export const flushScalableContext = (
  source: number, { cachingMode, writeBufferFlush }: Capabilities,
): Flushes => ({
  removed: [[contextCacheDevice(0, source)]],
  added: cachingMode ? [[contextCacheDevice(0, source)], [iotlbDomain(0)]] : [],
  writeBuffer: writeBufferFlush && !cachingMode,
})

/** One tag of a domain whose pages changed. */
export interface PageTag {
  readonly domainId: number
  /** Absent: second stage, where PASIDs do not matter. */
  readonly pasid?: number
}

/** Everything under a tag. */
export const flushTag = ({ domainId, pasid }: PageTag): Descriptor =>
  pasid === undefined ? iotlbDomain(domainId) : pasidIotlbAll(domainId, pasid)

/**
 * The smallest aligned power of two of pages that covers both ends, inclusive (Linux, `calculate_psi_aligned_address`). undefined: the range
 * is larger than the unit's mask allows, and everything under the tag has to go.
 */
export const coveringMask = (start: bigint, end: bigint, maxMask: number): number | undefined => {
  const mask = coveringShift(start, end) - 12
  return mask > maxMask ? undefined : mask
}

/** Pages of a tag, both ends inclusive. `leavesOnly`: no table page was freed, paging-structure caches may stay. */
export const flushPages = (
  tag: PageTag, start: bigint, end: bigint, leavesOnly: boolean, { pageSelective, maxAddressMask }: Capabilities,
): readonly Descriptor[] => {
  const mask = pageSelective ? coveringMask(start, end, maxAddressMask) : undefined
  if (mask === undefined) return [flushTag(tag)]
  const ADDR = aligned(start, 12 + mask)
  const IH = leavesOnly ? 1 : 0
  const page = { G: GRANULARITY.page, DID: tag.domainId, AM: mask, IH, ADDR }
  return [tag.pasid === undefined
    ? encode(iotlbDescriptor, { Type: DESCRIPTOR_TYPES.iotlb, ...page, DR: 1, DW: 1 })
    : encode(pasidIotlbDescriptor, { Type: DESCRIPTOR_TYPES.pasidIotlb, ...page, PASID: tag.pasid })]
}

/** The same pages in a device TLB. */
export const flushDevicePages = (device: DeviceTlb, pasid: number, start: bigint, end: bigint): Descriptor =>
  deviceTlb(device, pasid, { start, pageShift: coveringShift(start, end) })
