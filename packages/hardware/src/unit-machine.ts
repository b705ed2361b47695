// The machine around a modelled unit: what every vendor's model shares, from its memory to the doors of a test.
import { keepInDevice } from './device-tlb.js'
import type { DeviceTlbs } from './device-tlb.js'
import { outcomeKey } from './dma.js'
import type { DmaRequest, Outcome, Step, Translated } from './dma.js'
import { exploring, happening, walking } from './dma-sight.js'
import type { DmaSight } from './dma-sight.js'
import { createEndpoints } from './endpoint.js'
import type { Endpoint, EndpointCapabilities } from './endpoint.js'
import { createEventStream, eventsOfUnit } from './events.js'
import type { EventStream } from './events.js'
import { explore } from './explore.js'
import { createFailures } from './failures.js'
import type { Failures } from './failures.js'
import type { TestMachine } from './machine.js'
import { PhysicalMemory } from './physical-memory.js'
import { createRegisters } from './registers.js'
import type { RegisterDevice } from './registers.js'

/** What every model can be made with. */
export interface UnitOptions {
  /** Shared by the units of one machine; a memory of its own where absent. */
  readonly memory?: PhysicalMemory
  /** Which unit of its machine it is, where several share the memory. */
  readonly unit?: number
  /** What each source offers in its configuration space; nothing where it is not named. */
  readonly endpoints?: ReadonlyMap<number, EndpointCapabilities>
  /** False: hardware keeps no translations, and walks tables for every DMA. Entries that lead to tables it keeps. */
  readonly iotlb?: boolean
}

/** What is around a unit. */
export interface Surroundings {
  readonly memory: PhysicalMemory
  /** Where the unit's commands and registers are told; they carry its number where several share a memory. */
  readonly events: EventStream
  readonly failures: Failures
  readonly endpoint: (source: number) => Endpoint
}

/** `coherent`: whether walks snoop, where the memory is the unit's own. */
export const createSurroundings = ({ memory: shared, unit, endpoints = new Map() }: UnitOptions, coherent = true): Surroundings => {
  const memory = shared ?? new PhysicalMemory({ coherent, events: createEventStream() })
  return {
    memory, events: eventsOfUnit(memory.events, unit), failures: createFailures(memory.pages), endpoint: createEndpoints(endpoints, memory.events),
  }
}

/** A unit, as its machine asks it. */
export interface Unit<Why> {
  /** For people: "a VT-d unit". */
  readonly name: string
  readonly registers: RegisterDevice
  /** Instructions, where it has any. */
  call?(operation: string, args: readonly bigint[]): bigint
  translate(request: DmaRequest, sight: DmaSight<never, Why>): Outcome
  /** Logs a fault. */
  log(request: DmaRequest, why: Why): void
  /** What devices keep, where they may ask for translations. */
  readonly devices?: {
    readonly tlbs: DeviceTlbs
    /** Attributes of an answer that comes from there, by those of the translation. */
    attributes(of: Translated['attributes']): Translated['attributes']
  }
}

/** The machine of one unit. */
export const createUnitMachine = <Why>(
  { memory, events, failures, endpoint }: Surroundings, unit: Unit<Why>, number: number | undefined,
): TestMachine & { readonly memory: PhysicalMemory; readonly unit?: number } => {
  const sight = happening(unit.log)
  return {
    ...(number === undefined ? {} : { unit: number }),
    memory,
    registers: createRegisters(unit.registers, (offset, bits, value) => events.emit({ kind: 'register', offset, bits, value })),
    endpoint,
    call(operation, args) {
      if (unit.call === undefined) throw new RangeError(`${unit.name} has no instruction ${operation}`)
      return unit.call(operation, args)
    },
    dma(request) {
      const outcome = unit.translate(request, sight)
      if (request.kind === 'translate' && outcome.result === 'translated' && unit.devices !== undefined) {
        keepInDevice(unit.devices.tlbs, endpoint, request, outcome, unit.devices.attributes(outcome.attributes))
      }
      return outcome
    },
    outcomes: (request) => explore((choose) => unit.translate(request, exploring(choose)), outcomeKey),
    walk(request) {
      const steps: Step[] = []
      return { outcome: unit.translate(request, walking(steps)), steps }
    },
    observe: (observer) => events.observe(observer),
    fail: failures.doors,
  }
}
