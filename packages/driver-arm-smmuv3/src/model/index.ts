// The model: an SMMU that reads tables and registers, and answers what happens to a DMA.
import {
  createEndpoints, createEventStream, createFailures, createRegisters, eventsOfUnit, explore, first, keepInDevice, outcomeKey,
  PhysicalMemory,
} from '@iommu/hardware'
import type { EndpointCapabilities, Step, TestMachine } from '@iommu/hardware'
import { readCapabilities } from '../tables/index.js'
import { createCaches } from './caches.js'
import type { Caches } from './caches.js'
import { Stopped } from './copies.js'
import { createEventQueueState, recordEvent } from './event-queue.js'
import { createFormats } from './formats.js'
import { defaultProfile, identificationWords } from './profile.js'
import type { Profile } from './profile.js'
import { createQueueRunner, createQueueState } from './queue.js'
import { createRegisterDevice, raiseCommandError } from './registers.js'
import type { UnitState } from './registers.js'
import { answer, exploring, isRecorded, outcomeOf } from './translate.js'
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
export { answer, outcomeOf } from './translate.js'
export type { Answer, Hardware } from './translate.js'
export type { Sight } from './walks.js'

export interface ModelOptions {
  readonly profile?: Partial<Profile>
  /** Shared by the SMMUs of one machine; a memory of its own where absent. */
  readonly memory?: PhysicalMemory
  /** Which SMMU of its machine it is, where several share the memory. */
  readonly unit?: number
  /** What each source offers in its configuration space; nothing where it is not named. */
  readonly endpoints?: ReadonlyMap<number, EndpointCapabilities>
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
  const events = options.memory?.events ?? createEventStream()
  const memory = options.memory ?? new PhysicalMemory({ coherent: profile.coherent, events })
  /** SMMUs that share a memory share its events: theirs carry their number. */
  const own = eventsOfUnit(events, options.unit)
  const identification = identificationWords(profile)
  const capabilities = readCapabilities(identification)
  const caches = createCaches()
  const failures = createFailures(memory.pages)
  const state: UnitState = {
    translating: false, abortsWhileOff: false, checksAts: false, recordsBadStreams: false,
    streamTable: { base: 0n, log2size: 0, split: 0 }, queue: createQueueState(), events: createEventQueueState(),
    errors: 0, acknowledged: 0, plain: new Map(),
  }
  const device = createRegisterDevice(identification, state, {
    runQueue: createQueueRunner(state.queue, { memory, caches, capabilities, events: own, failures, stopped: () => raiseCommandError(state) }),
  })
  const hardware: Hardware = { memory, state, caches, capabilities, formats: createFormats() }
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
      throw new RangeError(`an SMMU has no instruction ${operation}`)
    },
    dma(request) {
      const ended = answer(hardware, request, { choose: first, cached: true, fills: true })
      if (ended instanceof Stopped && isRecorded(hardware, request, ended)) recordEvent(state.events, memory, request, ended)
      const outcome = outcomeOf(hardware, request, ended)
      keepInDevice(tlbs, request, outcome, (page) =>
        ({ status: 0, level: 1, ...page, execute: false, privilegedExecute: false, user: true, entry: 0n }))
      return outcome
    },
    outcomes: (request) => explore((choose) => outcomeOf(hardware, request, answer(hardware, request, exploring(choose))), outcomeKey),
    walk(request) {
      const steps: Step[] = []
      const ended = answer(hardware, request, { choose: first, cached: false, fills: false, steps })
      return { outcome: outcomeOf(hardware, request, ended), steps }
    },
    observe: (observer) => events.observe(observer),
    fail: failures.doors,
  }
}
