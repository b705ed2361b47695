// The model: VT-d hardware that reads tables and registers, and answers what happens to a DMA.
import { createSurroundings, createUnitMachine } from '@iommu/hardware'
import type { PhysicalMemory, TestMachine, UnitOptions } from '@iommu/hardware'
import { readCapabilities } from '../tables/index.js'
import { createCaches, forget } from './caches.js'
import type { Caches } from './caches.js'
import type { Stopped } from './copies.js'
import { everything } from './drops.js'
import { createFaultLog } from './fault-log.js'
import { capabilityWords, defaultProfile } from './profile.js'
import type { Profile } from './profile.js'
import { createQueueState, runQueue } from './queue.js'
import { createRegisterDevice } from './registers.js'
import type { UnitState } from './registers.js'
import { createFormats } from './formats.js'
import { inDevice, translate } from './translate.js'
import type { Hardware } from './translate.js'

export { createVtdAdversary } from './adversary.js'
export { capabilityWords, defaultProfile } from './profile.js'
export type { Profile } from './profile.js'
export { createCaches } from './caches.js'
export { fetchLegacyContext, fetchPasid, fetchScalableContext, Stopped } from './copies.js'
export type { LegacyContext, PasidContext, Reader, ScalableContext } from './copies.js'
export { createFormats } from './formats.js'
export type { Formats } from './formats.js'
export { translate } from './translate.js'
export type { Hardware } from './translate.js'
export type { Sight } from './walks.js'

export interface ModelOptions extends UnitOptions {
  readonly profile?: Partial<Profile>
}

/** A machine with one VT-d unit. */
export interface VtdMachine extends TestMachine {
  readonly memory: PhysicalMemory
  readonly profile: Profile
  readonly unit?: number
  /** What the answers to DMA rest on, for other ways of asking. */
  readonly hardware: Hardware
  /** For statements about what hardware holds; a driver never sees them. */
  readonly caches: Caches
}

export const createVtdMachine = (options: ModelOptions = {}): VtdMachine => {
  const profile: Profile = { ...defaultProfile, ...options.profile }
  const surroundings = createSurroundings(options, profile.coherent)
  const { memory, events, failures } = surroundings
  const words = capabilityWords(profile)
  const capabilities = readCapabilities(words.cap, words.ecap)
  const caches = createCaches(options.iotlb)
  const log = createFaultLog(capabilities.faultRecords)
  const state: UnitState = {
    translating: false, rootPointerSet: false, rootTable: 0n, mode: 'legacy', rtaddr: 0n, queue: createQueueState(),
    plain: new Map(),
  }
  const device = createRegisterDevice(words, capabilities, state, log, {
    runQueue: () => runQueue(state.queue, { memory, caches, capabilities, events, failures }),
    rootPointerSet: () => {
      if (capabilities.rootPointerInvalidates) forget(caches, everything)
    },
  })
  const hardware: Hardware = {
    memory, state, caches, capabilities, hostAddressBits: profile.hostAddressBits,
    formats: createFormats(capabilities, profile.hostAddressBits),
  }
  return {
    ...createUnitMachine(surroundings, {
      name: 'a VT-d unit',
      registers: device,
      translate: (request, sight) => translate(hardware, request, sight),
      log: (request, { code }: Stopped) => log.record(request, code),
      devices: { tlbs: caches.devices, attributes: inDevice },
    }, options.unit),
    profile,
    hardware,
    caches,
  }
}
