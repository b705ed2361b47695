// The invalidation queue: fetches descriptors, refuses malformed ones, carries out the others.
import { breaksReserved, decode, decodeField, describe, renderLine } from '@iommu/bits'
import { frameOf, loadWords } from '@iommu/hardware'
import type { EventStream, Failures, PhysicalMemory } from '@iommu/hardware'
import {
  contextCacheDescriptor, descriptorLayout, DESCRIPTOR_TYPES, deviceTlbDescriptor, GRANULARITY, iotlbDescriptor, pasidCacheDescriptor,
  pasidDeviceTlbDescriptor, pasidIotlbDescriptor, waitDescriptor,
} from '../tables/index.js'
import type { Capabilities } from '../tables/index.js'
import { forget } from './caches.js'
import type { Caches } from './caches.js'
import { drops } from './drops.js'

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

/** Whether a descriptor is malformed beyond its reserved bits: the queue stops. */
const isMalformed = (words: Words, type: number, { maxAddressMask }: Capabilities): boolean => {
  switch (type) {
    case DESCRIPTOR_TYPES.contextCache: return decodeField(contextCacheDescriptor, words, 'G') === 0
    case DESCRIPTOR_TYPES.iotlb: {
      const { G, AM } = decode(iotlbDescriptor, words)
      return G === 0 || (G === GRANULARITY.page && AM > maxAddressMask)
    }
    case DESCRIPTOR_TYPES.pasidIotlb: {
      const { G, AM } = decode(pasidIotlbDescriptor, words)
      return G < GRANULARITY.domain || (G === GRANULARITY.page && AM > maxAddressMask)
    }
    // 2 is none of the granularities.
    case DESCRIPTOR_TYPES.pasidCache: return decodeField(pasidCacheDescriptor, words, 'G') === 2
    case DESCRIPTOR_TYPES.wait: {
      const { SW, IF, FN } = decode(waitDescriptor, words)
      return SW === 0 && IF === 0 && FN === 0
    }
    default: return false
  }
}

/** A wait descriptor's status is written. False: to where there is no memory. */
const tell = (words: Words, { memory, failures }: QueueTarget): boolean => {
  const { SW, StatusAddress, StatusData } = decode(waitDescriptor, words)
  if (SW === 0 || failures.completionsNever) return true
  if (!memory.snooped.has(frameOf(StatusAddress))) return false
  memory.deviceStore32(StatusAddress, StatusData)
  return true
}

const needsWideQueue: ReadonlySet<number> = new Set([
  DESCRIPTOR_TYPES.pasidIotlb, DESCRIPTOR_TYPES.pasidCache, DESCRIPTOR_TYPES.pasidDeviceTlb,
])

/** Works through the queue from head to tail, or until an error stops it. */
export const runQueue = (state: QueueState, target: QueueTarget): void => {
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
    const words = loadWords(target.memory.snooped, at, size / 8)
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
    if (isMalformed(body, type, target.capabilities) || (type === DESCRIPTOR_TYPES.wait && !tell(body, target))) {
      state.error = true
      return
    }
    const dropped = drops[type]
    if (dropped !== undefined) forget(target.caches, dropped.names(body))
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
