// The model: a RISC-V IOMMU that reads tables and registers, and answers what happens to a DMA.
import {
  createEndpoints, createEventStream, createFailures, createRegisters, eventsOfUnit, explore, first, keepInDevice,
  outcomeKey, PhysicalMemory,
} from '@iommu/hardware'
import type { EndpointCapabilities, Step, TestMachine } from '@iommu/hardware'
import { LEAF } from '@iommu/page-table'
import { readCapabilities } from '../tables/index.js'
import { createCaches } from './caches.js'
import type { Caches } from './caches.js'
import { createFaultQueueState, recordFault } from './fault-log.js'
import { createFormats } from './formats.js'
import { capabilityWord, defaultProfile } from './profile.js'
import type { Profile } from './profile.js'
import { createQueueState, runQueue } from './queue.js'
import { createRegisterDevice } from './registers.js'
import type { UnitState } from './registers.js'
import { exploring, translate } from './translate.js'
import type { Hardware } from './translate.js'

export { createRiscvAdversary } from './adversary.js'
export type { RiscvAdversaryOptions } from './adversary.js'
export { createCaches } from './caches.js'
export { fetchDevice, fetchProcess, Stopped } from './copies.js'
export type { DeviceContext, Directory, ProcessContext, Reader, Stage } from './copies.js'
export { createFormats } from './formats.js'
export { capabilityWord, defaultProfile } from './profile.js'
export type { Profile } from './profile.js'
export { accessOf, locateBy, translate } from './translate.js'
export type { DirectoryState, Hardware } from './translate.js'

export interface ModelOptions {
  readonly profile?: Partial<Profile>
  /** Shared by the units of one machine; a memory of its own where absent. */
  readonly memory?: PhysicalMemory
  /** Which unit of its machine it is, where several share the memory. */
  readonly unit?: number
  /** What each source offers in its configuration space; nothing where it is not named. */
  readonly endpoints?: ReadonlyMap<number, EndpointCapabilities>
}

/** A machine with one RISC-V IOMMU. */
export interface RiscvMachine extends TestMachine {
  readonly memory: PhysicalMemory
  readonly unit?: number
  readonly profile: Profile
  /** What the answers to DMA rest on, for other ways of asking. */
  readonly hardware: Hardware
  /** For statements about what hardware holds; a driver never sees them. */
  readonly caches: Caches
}

export const createRiscvMachine = (options: ModelOptions = {}): RiscvMachine => {
  const profile: Profile = { ...defaultProfile, ...options.profile }
  const events = options.memory?.events ?? createEventStream()
  // Walks are coherent (Linux, riscv_iommu: nothing is ever written back).
  const memory = options.memory ?? new PhysicalMemory({ events })
  // Units that share a memory share its events: theirs carry their number.
  const own = eventsOfUnit(events, options.unit)
  const word = capabilityWord(profile)
  const capabilities = readCapabilities(word)
  const caches = createCaches()
  const failures = createFailures(memory.pages)
  const state: UnitState = {
    directory: { mode: 'off', root: 0n }, queue: createQueueState(), faults: createFaultQueueState(), plain: new Map(),
  }
  const device = createRegisterDevice(word, profile.directoryLevels, state, () =>
    runQueue(state.queue, { memory, caches, capabilities, events: own, failures, state }))
  const hardware: Hardware = { memory, state, caches, capabilities, formats: createFormats(capabilities) }
  const endpoint = createEndpoints(options.endpoints ?? new Map(), events)
  const tlbs = { held: caches.deviceTlbs, endpoint }

  return {
    profile,
    ...(options.unit === undefined ? {} : { unit: options.unit }),
    hardware,
    caches,
    memory,
    registers: createRegisters(device, (offset, bits, value) => own.emit({ kind: 'register', offset, bits, value })),
    endpoint,
    call(operation) {
      throw new RangeError(`a RISC-V IOMMU has no instruction ${operation}`)
    },
    dma(request) {
      const { outcome, guest } = translate(hardware, request, { choose: first, cached: true, fills: true })
      if (outcome.result === 'blocked' && outcome.fault?.recorded === true) {
        recordFault(state.faults, memory, request, outcome.fault.code, guest)
      }
      keepInDevice(tlbs, request, outcome, (page) =>
        ({ status: LEAF, level: 1, ...page, execute: false, user: true, dirty: true, memory: 0 }))
      return outcome
    },
    outcomes: (request) => explore((choose) => translate(hardware, request, exploring(choose)).outcome, outcomeKey),
    walk(request) {
      const steps: Step[] = []
      const { outcome } = translate(hardware, request, { choose: first, cached: false, fills: false, steps })
      return { outcome, steps }
    },
    observe: (observer) => events.observe(observer),
    fail: failures.doors,
  }
}
