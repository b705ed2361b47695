// The model: an SMMU that reads tables and registers, and answers what happens to a DMA.
import { createSurroundings, createUnitMachine } from '@iommu/hardware'
import type { PhysicalMemory, TestMachine, UnitOptions } from '@iommu/hardware'
import { readCapabilities } from '../tables/index.js'
import { createCaches } from './caches.js'
import type { Caches } from './caches.js'
import type { Stopped } from './copies.js'
import { createEventQueueState, recordEvent } from './event-queue.js'
import { createFormats } from './formats.js'
import { defaultProfile, identificationWords } from './profile.js'
import type { Profile } from './profile.js'
import { createQueueState, runQueue } from './queue.js'
import { createRegisterDevice, raiseCommandError } from './registers.js'
import type { UnitState } from './registers.js'
import { inDevice, translate } from './translate.js'
import type { Hardware } from './translate.js'

export { createSmmuAdversary } from './adversary.js'
export { defaultProfile, identificationWords } from './profile.js'
export type { Profile } from './profile.js'
export { createCaches } from './caches.js'
export {
  contextAddress, fetchContext, fetchLevelOneContext, fetchLevelOneStream, fetchStream, Stopped, streamAddress,
} from './copies.js'
export type { ContextCopy, Detail, Reader, StageOne, StreamCopy, StreamTable, Tables } from './copies.js'
export { createFormats } from './formats.js'
export type { Formats } from './formats.js'
export { translate } from './translate.js'
export type { Hardware } from './translate.js'
export type { Sight } from './walks.js'

export interface ModelOptions extends UnitOptions {
  readonly profile?: Partial<Profile>
}

/** A machine with one SMMU. StreamIDs are requester ids. */
export interface SmmuMachine extends TestMachine {
  readonly memory: PhysicalMemory
  readonly profile: Profile
  readonly unit?: number
  /** What the answers to DMA rest on, for other ways of asking. */
  readonly hardware: Hardware
  /** For statements about what hardware holds; a driver never sees them. */
  readonly caches: Caches
}

export const createSmmuMachine = (options: ModelOptions = {}): SmmuMachine => {
  const profile: Profile = { ...defaultProfile, ...options.profile }
  const surroundings = createSurroundings(options, profile.coherent)
  const { memory, events, failures } = surroundings
  const identification = identificationWords(profile)
  const capabilities = readCapabilities(identification)
  const caches = createCaches(options.iotlb)
  const state: UnitState = {
    translating: false, abortsWhileOff: false, checksAts: false, recordsBadStreams: false,
    streamTable: { base: 0n, log2size: 0, split: 0 }, queue: createQueueState(), events: createEventQueueState(),
    errors: 0, acknowledged: 0, plain: new Map(),
  }
  const device = createRegisterDevice(identification, state, {
    runQueue: () => runQueue(state.queue, { memory, caches, capabilities, events, failures, stopped: () => raiseCommandError(state) }),
  })
  const hardware: Hardware = { memory, state, caches, capabilities, formats: createFormats() }
  return {
    ...createUnitMachine(surroundings, {
      name: 'an SMMU',
      registers: device,
      translate: (request, sight) => translate(hardware, request, sight),
      log: (request, why: Stopped) => recordEvent(state.events, memory, request, why),
      devices: { tlbs: caches.devices, attributes: inDevice },
    }, options.unit),
    profile,
    hardware,
    caches,
  }
}
