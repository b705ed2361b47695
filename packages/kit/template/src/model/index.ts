// The model: hardware that reads tables and registers, and answers what happens to a DMA.
import { createEndpoints, createEventStream, createFailures, createRegisters, explore, exploring, happening, outcomeKey, PhysicalMemory, walking } from '@iommu/hardware'
import type { EndpointCapabilities, Step, TestMachine } from '@iommu/hardware'
import { createCaches } from './caches.js'
import { createFaultLog, recordFault } from './fault-log.js'
import { defaultProfile } from './profile.js'
import type { Profile } from './profile.js'
import { createQueueState, runQueue } from './queue.js'
import { createRegisterDevice } from './registers.js'
import type { UnitState } from './registers.js'
import { translate } from './translate.js'
import type { Hardware, Sight } from './translate.js'

export { defaultProfile } from './profile.js'
export type { Profile } from './profile.js'

export interface ModelOptions {
  readonly profile?: Partial<Profile>
  /** Shared by the units of one machine; a memory of its own where absent. */
  readonly memory?: PhysicalMemory
  /** What each source offers in its configuration space; nothing where it is not named. */
  readonly endpoints?: ReadonlyMap<number, EndpointCapabilities>
}

/** A machine with one unit. */
export interface AcmeMachine extends TestMachine {
  readonly memory: PhysicalMemory
  readonly profile: Profile
}

export const createAcmeMachine = (options: ModelOptions = {}): AcmeMachine => {
  const profile: Profile = { ...defaultProfile, ...options.profile }
  const events = options.memory?.events ?? createEventStream()
  const memory = options.memory ?? new PhysicalMemory({ events })
  const caches = createCaches()
  const failures = createFailures(memory.pages)
  const state: UnitState = { enabled: false, table: 0n, queue: createQueueState(), log: createFaultLog() }
  const device = createRegisterDevice(state, () => runQueue(state.queue, { memory, caches, events, failures }))
  const hardware: Hardware = { memory, state, caches, profile }
  const happens: Sight = happening((request, { code }) => recordFault(state.log, request, code))

  return {
    profile,
    memory,
    registers: createRegisters(device, (offset, bits, value) => events.emit({ kind: 'register', offset, bits, value })),
    endpoint: createEndpoints(options.endpoints ?? new Map(), events),
    call(operation) {
      throw new RangeError(`the unit has no instruction ${operation}`)
    },
    dma: (request) => translate(hardware, request, happens),
    outcomes: (request) => explore((choose) => translate(hardware, request, exploring(choose)), outcomeKey),
    walk(request) {
      const steps: Step[] = []
      const outcome = translate(hardware, request, walking(steps))
      return { outcome, steps }
    },
    observe: (observer) => events.observe(observer),
    fail: failures.doors,
  }
}
