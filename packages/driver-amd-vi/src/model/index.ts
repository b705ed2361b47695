// The model: AMD-Vi hardware that reads tables and registers, and answers what happens to a DMA.
import { createSurroundings, createUnitMachine } from '@iommu/hardware'
import type { PhysicalMemory, TestMachine, UnitOptions } from '@iommu/hardware'
import { readCapabilities } from '../tables/index.js'
import { createCaches } from './caches.js'
import type { Caches } from './caches.js'
import type { Stopped } from './copies.js'
import { createLogState, eventOf, logEvent } from './event-log.js'
import { createFormats } from './formats.js'
import { capabilityWords, defaultProfile } from './profile.js'
import type { Profile } from './profile.js'
import { createBufferState, runCommands } from './queue.js'
import { createRegisterDevice } from './registers.js'
import type { UnitState } from './registers.js'
import { inDevice, translate } from './translate.js'
import type { Hardware } from './translate.js'

export { createAmdAdversary } from './adversary.js'
export { capabilityWords, defaultProfile } from './profile.js'
export type { Profile } from './profile.js'
export { createCaches } from './caches.js'
export { fetchDeviceEntry, fetchGcr3, Stopped } from './copies.js'
export type { DeviceContext, DeviceTable, Gcr3From, Reader } from './copies.js'
export type { Cause } from './event-log.js'
export { createFormats } from './formats.js'
export type { Formats } from './formats.js'
export { translate } from './translate.js'
export type { Hardware } from './translate.js'
export type { Sight } from './walks.js'

export interface ModelOptions extends UnitOptions {
  readonly profile?: Partial<Profile>
}

/** A machine with one AMD IOMMU. */
export interface AmdMachine extends TestMachine {
  readonly memory: PhysicalMemory
  readonly profile: Profile
  readonly unit?: number
  /** The capability header in PCI configuration space. */
  readonly capabilityHeader: number
  /** What the answers to DMA rest on, for other ways of asking. */
  readonly hardware: Hardware
  /** For statements about what hardware holds; a driver never sees them. */
  readonly caches: Caches
}

export const createAmdMachine = (options: ModelOptions = {}): AmdMachine => {
  const profile: Profile = { ...defaultProfile, ...options.profile }
  const surroundings = createSurroundings(options)
  const { memory, events, failures } = surroundings
  const words = capabilityWords(profile)
  const capabilities = readCapabilities(words.efr, words.header)
  const caches = createCaches(options.iotlb)
  const log = createLogState()
  const state: UnitState = {
    translating: false, guestEnabled: false, deviceTable: { base: 0n, bytes: 0 }, buffer: createBufferState(), log, plain: new Map(),
  }
  const device = createRegisterDevice(words, state, () => runCommands(state.buffer, { memory, caches, events, failures, log }))
  const hardware: Hardware = {
    memory, state, caches, capabilities, hostAddressBits: profile.hostAddressBits,
    formats: createFormats(capabilities, profile.hostAddressBits),
  }
  return {
    ...createUnitMachine(surroundings, {
      name: 'an AMD IOMMU',
      registers: device,
      translate: (request, sight) => translate(hardware, request, sight),
      log: (request, { cause }: Stopped) => logEvent(log, memory, eventOf(request, cause)),
      devices: { tlbs: caches.devices, attributes: inDevice },
    }, options.unit),
    profile,
    capabilityHeader: words.header,
    hardware,
    caches,
  }
}
