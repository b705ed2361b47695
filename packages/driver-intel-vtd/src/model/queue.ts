// The invalidation queue: fetches descriptors, refuses malformed ones, carries out the others.
import { breaksReserved, decode, decodeField, describe, renderLine } from '@iommu/bits'
import type { Entry } from '@iommu/bits'
import { frameOf } from '@iommu/hardware'
import type { EventStream, Failures, PhysicalMemory } from '@iommu/hardware'
import { dropPages, dropTranslations } from '@iommu/page-table'
import {
  contextCacheDescriptor, descriptors, DESCRIPTOR_TYPES, deviceTlbDescriptor, iotlbDescriptor, pasidCacheDescriptor,
  pasidDeviceTlbDescriptor, pasidIotlbDescriptor, waitDescriptor,
} from '../tables/index.js'
import type { Capabilities } from '../tables/index.js'
import { firstStageTag } from './caches.js'
import type { Caches } from './caches.js'

/** Where the queue is and how far it has come. Offsets are bytes. */
export interface QueueState {
  base: bigint
  pages: number
  /** 256-bit descriptors. */
  wide: boolean
  enabled: boolean
  head: number
  tail: number
  /** IQE: the queue has stopped at `head` until software clears it. */
  error: boolean
  /** ITE: a device did not answer an invalidation; its source is `timedOutSource`. */
  timeout: boolean
  timedOutSource: number
  /** ICS.IWC: a wait descriptor asked for an interrupt. */
  waitComplete: boolean
}

export const createQueueState = (): QueueState => ({
  base: 0n, pages: 1, wide: false, enabled: false, head: 0, tail: 0, error: false, timeout: false, timedOutSource: 0,
  waitComplete: false,
})

/** What the queue acts on. */
export interface QueueTarget {
  readonly memory: PhysicalMemory
  readonly caches: Caches
  readonly capabilities: Capabilities
  readonly events: EventStream
  readonly failures: Failures
}

type Words = readonly bigint[]
type Effect = (words: Words) => boolean

const everyTag = (): boolean => true

/** Address ranges of page-selective descriptors: 2^AM pages from ADDR on, low bits of the address ignored. */
export const pageRange = (address: bigint, mask: number): [first: number, last: number] => {
  const first = Math.floor(frameOf(address) / 2 ** mask) * 2 ** mask
  return [first, first + 2 ** mask - 1]
}

/** A device-TLB range: with S the lowest zero bit from bit 12 on says how large it is. */
export const deviceTlbRange = (address: bigint, sized: boolean): [first: number, last: number] => {
  if (!sized) return [frameOf(address), frameOf(address)]
  let bit = 12n
  while (bit < 63n && ((address >> bit) & 1n) === 1n) bit++
  const size = 1n << (bit + 1n)
  const start = address & ~(size - 1n)
  return [frameOf(start), frameOf(start + size - 1n)]
}

/** What each descriptor type does. False: malformed, the queue stops (reference 2.8). */
const effects = (target: QueueTarget): Readonly<Record<number, Effect>> => {
  const { caches, capabilities, failures, memory } = target
  const dropDevice = (source: number, pasid: number | 'all', address: bigint, sized: boolean): boolean => {
    const held = caches.devices.get(source)
    const [first, last] = deviceTlbRange(address, sized)
    held?.dropRange(pasid === 'all' ? everyTag : (tag) => tag === pasid, first, last)
    return true
  }
  return {
    [DESCRIPTOR_TYPES.contextCache](words) {
      const d = decode(contextCacheDescriptor, words)
      const functions = 7 & ~((1 << d.FM) - 1)
      const mask = (0xffff & ~7) | functions
      if (d.G === 0) return false
      caches.contexts.drop((tag) =>
        d.G === 1
        || ((tag.absent || tag.domainId === d.DID)
          && (d.G === 2 || (tag.source & mask) === (d.SID & mask))))
      return true
    },
    [DESCRIPTOR_TYPES.iotlb](words) {
      const d = decode(iotlbDescriptor, words)
      if (d.G === 0 || (d.G === 3 && d.AM > capabilities.maxAddressMask)) return false
      if (d.G === 1) {
        dropTranslations(caches.secondStage, everyTag)
        dropTranslations(caches.firstStage, everyTag)
      } else if (d.G === 2) {
        dropTranslations(caches.secondStage, (tag) => tag === d.DID)
      } else {
        const [first, last] = pageRange(d.ADDR, d.AM)
        dropPages(caches.secondStage, (tag) => tag === d.DID, first, last, d.IH === 1)
      }
      return true
    },
    [DESCRIPTOR_TYPES.pasidIotlb](words) {
      const d = decode(pasidIotlbDescriptor, words)
      if (d.G < 2 || (d.G === 3 && d.AM > capabilities.maxAddressMask)) return false
      const tag = firstStageTag(d.DID, d.PASID)
      if (d.G === 2) dropTranslations(caches.firstStage, (each) => each === tag)
      else {
        const [first, last] = pageRange(d.ADDR, d.AM)
        dropPages(caches.firstStage, (each) => each === tag, first, last, d.IH === 1)
      }
      return true
    },
    [DESCRIPTOR_TYPES.pasidCache](words) {
      const d = decode(pasidCacheDescriptor, words)
      if (d.G === 2) return false
      caches.pasids.drop((tag) =>
        d.G === 3 || ((tag.absent || tag.domainId === d.DID) && (d.G === 0 || tag.pasid === d.PASID)))
      return true
    },
    [DESCRIPTOR_TYPES.deviceTlb](words) {
      const d = decode(deviceTlbDescriptor, words)
      return dropDevice(d.SID, 'all', d.ADDR, d.S === 1)
    },
    [DESCRIPTOR_TYPES.pasidDeviceTlb](words) {
      const d = decode(pasidDeviceTlbDescriptor, words)
      return dropDevice(d.SID, d.G === 1 ? 'all' : d.PASID, d.ADDR, d.S === 1)
    },
    [DESCRIPTOR_TYPES.interruptEntryCache]: () => true,
    [DESCRIPTOR_TYPES.pageGroupResponse]: () => true,
    [DESCRIPTOR_TYPES.wait](words) {
      const d = decode(waitDescriptor, words)
      if (d.SW === 0 && d.IF === 0 && d.FN === 0) return false
      if (d.SW === 1 && !failures.completionsNever) {
        if (!memory.snooped.has(frameOf(d.StatusAddress))) return false
        memory.deviceStore32(d.StatusAddress, d.StatusData)
      }
      return true
    },
  }
}

const needsWideQueue: ReadonlySet<number> = new Set([
  DESCRIPTOR_TYPES.pasidIotlb, DESCRIPTOR_TYPES.pasidCache, DESCRIPTOR_TYPES.pasidDeviceTlb,
])

/** The layout of a descriptor, or undefined for a type that there is not. All types share the place of Type. */
export const descriptorLayout = (words: Words): Entry | undefined => {
  const type = decodeField(waitDescriptor, words.slice(0, 2), 'Type')
  return (descriptors as Readonly<Record<number, Entry>>)[type]
}

/** Works through the queue from head to tail, or until an error stops it. */
export const runQueue = (state: QueueState, target: QueueTarget): void => {
  const act = effects(target)
  const size = state.wide ? 32 : 16
  const bytes = state.pages * 4096
  while (state.enabled && !state.error && state.head !== state.tail) {
    if (state.tail % size !== 0 || state.tail >= bytes) {
      state.error = true
      return
    }
    const at = state.base + BigInt(state.head)
    if (!target.memory.snooped.has(frameOf(at))) {
      state.error = true
      return
    }
    const words = Array.from({ length: size / 8 }, (_, index) => target.memory.snooped.load64(at + BigInt(index * 8)))
    const body = words.slice(0, 2)
    const layout = descriptorLayout(body)
    const type = layout === undefined ? 0 : decodeField(waitDescriptor, body, 'Type')
    const malformed = target.failures.refuseCommand()
      || layout === undefined
      || breaksReserved(layout, body)
      || words.slice(2).some((word) => word !== 0n)
      || (!state.wide && needsWideQueue.has(type))
    if (malformed) {
      state.error = true
      return
    }
    const source = type === DESCRIPTOR_TYPES.deviceTlb ? decode(deviceTlbDescriptor, body).SID
      : type === DESCRIPTOR_TYPES.pasidDeviceTlb ? decode(pasidDeviceTlbDescriptor, body).SID : undefined
    if (source !== undefined && target.failures.isDeaf(source)) {
      state.timeout = true
      state.timedOutSource = source
      return
    }
    if (!(act[type] as Effect)(body)) {
      state.error = true
      return
    }
    if (type === DESCRIPTOR_TYPES.wait && decodeField(waitDescriptor, body, 'IF') === 1) state.waitComplete = true
    state.head = (state.head + size) % bytes
    if (target.events.listeners !== null) {
      target.events.emit({
        kind: 'command', name: layout.name, words: body, text: renderLine(describe(layout, body)),
        ...(source === undefined ? {} : { deviceTlb: source }),
      })
    }
  }
}
