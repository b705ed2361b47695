// The model: AMD-Vi hardware that reads tables and registers, and answers what happens to a DMA.
import {
  createEndpoints, createEventStream, createFailures, createRegisters, eventsOfUnit, explore, first, keepInDevice,
  outcomeKey, PhysicalMemory,
} from '@iommu/hardware'
import type { EndpointCapabilities, Step, TestMachine } from '@iommu/hardware'
import { readCapabilities } from '../tables/index.js'
import { createCaches } from './caches.js'
import type { Caches } from './caches.js'
import { Stopped } from './copies.js'
import { createLogState, eventOf, logEvent } from './event-log.js'
import { createFormats } from './formats.js'
import { capabilityWords, defaultProfile } from './profile.js'
import type { Profile } from './profile.js'
import { createBufferState, runCommands } from './queue.js'
import { createRegisterDevice } from './registers.js'
import type { UnitState } from './registers.js'
import { attempt, exploring, isLogged, outcomeOf, translate } from './translate.js'
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

export interface ModelOptions {
  readonly profile?: Partial<Profile>
  /** Shared by the units of one machine; a memory of its own where absent. */
  readonly memory?: PhysicalMemory
  /** Which unit of its machine it is, where several share the memory. */
  readonly unit?: number
  /** What each source offers in its configuration space; nothing where it is not named. */
  readonly endpoints?: ReadonlyMap<number, EndpointCapabilities>
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
  const events = options.memory?.events ?? createEventStream()
  const memory = options.memory ?? new PhysicalMemory({ events })
  /** Units that share a memory share its events: theirs carry their number. */
  const own = eventsOfUnit(events, options.unit)
  const words = capabilityWords(profile)
  const capabilities = readCapabilities(words.efr, words.header)
  const caches = createCaches()
  const failures = createFailures(memory.pages)
  const log = createLogState()
  const state: UnitState = {
    translating: false, guestEnabled: false, deviceTable: { base: 0n, bytes: 0 }, buffer: createBufferState(), log, plain: new Map(),
  }
  const device = createRegisterDevice(words, state, () => runCommands(state.buffer, { memory, caches, events: own, failures, log }))
  const hardware: Hardware = {
    memory, state, caches, capabilities, hostAddressBits: profile.hostAddressBits,
    formats: createFormats(capabilities, profile.hostAddressBits),
  }
  const endpoint = createEndpoints(options.endpoints ?? new Map(), events)
  const tlbs = { held: caches.devices, endpoint }

  return {
    profile,
    ...(options.unit === undefined ? {} : { unit: options.unit }),
    capabilityHeader: words.header,
    hardware,
    caches,
    memory,
    registers: createRegisters(device, (offset, bits, value) => own.emit({ kind: 'register', offset, bits, value })),
    endpoint,
    call(operation) {
      throw new RangeError(`an AMD IOMMU has no instruction ${operation}`)
    },
    dma(request) {
      const found = attempt(hardware, request, { choose: first, cached: true, fills: true })
      if (!(found instanceof Stopped)) {
        keepInDevice(tlbs, request, found, (page, { attributes }) =>
          ({ status: 0, level: 1, ...page, execute: false, user: true, coherent: attributes['coherent'] === true }))
      } else if (isLogged(request, found)) logEvent(log, memory, eventOf(request, found.cause))
      return outcomeOf(request, found)
    },
    outcomes: (request) => explore((choose) => translate(hardware, request, exploring(choose)), outcomeKey),
    walk(request) {
      const steps: Step[] = []
      const outcome = translate(hardware, request, { choose: first, cached: false, fills: false, steps })
      return { outcome, steps }
    },
    observe: (observer) => events.observe(observer),
    fail: failures.doors,
  }
}
