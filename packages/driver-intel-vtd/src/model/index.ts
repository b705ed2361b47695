// The model: VT-d hardware that reads tables and registers, and answers what happens to a DMA.
import {
  createEndpoints, createEventStream, createFailures, createRegisters, eventsOfUnit, explore, first, keepInDevice, outcomeKey,
  PhysicalMemory,
} from '@iommu/hardware'
import type { EndpointCapabilities, Step, TestMachine } from '@iommu/hardware'
import { readCapabilities } from '../tables/index.js'
import { createCaches, dropEverything } from './caches.js'
import type { Caches } from './caches.js'
import { createFaultLog } from './fault-log.js'
import { capabilityWords, defaultProfile } from './profile.js'
import type { Profile } from './profile.js'
import { createQueueState, runQueue } from './queue.js'
import { createRegisterDevice } from './registers.js'
import type { UnitState } from './registers.js'
import { createFormats } from './formats.js'
import { exploring, translate } from './translate.js'
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

export interface ModelOptions {
  readonly profile?: Partial<Profile>
  /** Shared by the units of one machine; a memory of its own where absent. */
  readonly memory?: PhysicalMemory
  /** Which unit of its machine it is, where several share the memory. */
  readonly unit?: number
  /** What each source offers in its configuration space; nothing where it is not named. */
  readonly endpoints?: ReadonlyMap<number, EndpointCapabilities>
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
  const events = options.memory?.events ?? createEventStream()
  const memory = options.memory ?? new PhysicalMemory({ coherent: profile.coherent, events })
  /** Units that share a memory share its events: theirs carry their number. */
  const own = eventsOfUnit(events, options.unit)
  const words = capabilityWords(profile)
  const capabilities = readCapabilities(words.cap, words.ecap)
  const caches = createCaches()
  const failures = createFailures(memory.pages)
  const log = createFaultLog(capabilities.faultRecords)
  const state: UnitState = {
    translating: false, rootPointerSet: false, rootTable: 0n, mode: 'legacy', rtaddr: 0n, queue: createQueueState(),
    plain: new Map(),
  }
  const device = createRegisterDevice(words, capabilities, state, log, {
    runQueue: () => runQueue(state.queue, { memory, caches, capabilities, events: own, failures }),
    rootPointerSet: () => {
      if (capabilities.rootPointerInvalidates) dropEverything(caches)
    },
  })
  const hardware: Hardware = {
    memory, state, caches, capabilities, hostAddressBits: profile.hostAddressBits,
    formats: createFormats(capabilities, profile.hostAddressBits),
  }
  const endpoint = createEndpoints(options.endpoints ?? new Map(), events)
  const tlbs = { held: caches.devices, endpoint }

  return {
    profile,
    ...(options.unit === undefined ? {} : { unit: options.unit }),
    hardware,
    caches,
    memory,
    registers: createRegisters(device, (offset, bits, value) => own.emit({ kind: 'register', offset, bits, value })),
    endpoint,
    call(operation) {
      throw new RangeError(`a VT-d unit has no instruction ${operation}`)
    },
    dma(request) {
      const outcome = translate(hardware, request, { choose: first, cached: true, fills: true })
      if (outcome.result === 'blocked' && outcome.fault?.recorded === true) log.record(request, outcome.fault.code)
      keepInDevice(tlbs, request, outcome, (page, { attributes }) =>
        ({ status: 0, level: 1, ...page, execute: false, user: true, snoop: attributes['snoop'] === true }))
      return outcome
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
