// A backend: one kind of hardware, as a model, and the driver that is run on it. What a driver is, nobody here knows.
import type { Adversary, AdversaryOptions } from './adversary/index.js'
import type { EndpointCapabilities } from './endpoint.js'
import type { TestMachine } from './machine.js'
import { PhysicalMemory } from './physical-memory.js'

/** What a machine must have. */
export interface MachineSetup {
  /** PASID, ATS and PRI capabilities by requester id; a source that is not named has none. */
  readonly endpoints: ReadonlyMap<number, EndpointCapabilities>
  /** The unit that it is, counted from 0. Units of one machine share their memory: `first` is unit 0. */
  readonly unit: number
  readonly first?: TestMachine
}

/** What a driver is told at its creation besides its machines. */
export interface DriverSetup {
  readonly warn: (sentence: string) => void
}

/** What a backend is made of; the shape that @iommu/conformance takes. `Space`: how a process's memory is made. */
export interface ModelBackend<Ops, Space> extends Traits {
  readonly backend: string
  readonly physicalBits: number
  readonly deviceBits: number
  readonly incompatibleFormat?: string
  readonly severalUnits: true
  createMachine(setup: MachineSetup): TestMachine
  createDriver(machines: readonly TestMachine[], setup: DriverSetup): Ops
  createAdversary(machine: TestMachine, options?: AdversaryOptions): Adversary
  createAddressSpace(machine: TestMachine, name: string): Space
  idsInUse(ops: Ops): number
}

/** A driver that breaks in one named way; the shape that @iommu/conformance takes. */
export interface ModelVariant<Ops> {
  readonly id: string
  readonly title: string
  /** The first statement must fail; none outside of the list may. */
  readonly breaks: readonly string[]
  /** Backends on which it shows. */
  readonly on: readonly string[]
  /** How stores and commands behave, where that decides. */
  readonly adversary?: AdversaryOptions
  /** What an operating system does, or did, rather than a mistake that anybody could make; `source`: file, function, versions. */
  readonly profile?: { readonly name: string; readonly does: string; readonly source: string }
  createDriver(machines: readonly TestMachine[], setup: VariantSetup): Ops
}

export interface VariantSetup extends DriverSetup {
  /** The driver is a correct one while this says no: what came before the change that is judged. Absent: never. */
  readonly broken?: () => boolean
}

/** What all backends of a driver have in common. */
interface Traits {
  /** The driver: "driver-intel-vtd". */
  readonly name: string
  /** Device addresses that are never memory. */
  readonly exempt?: { readonly start: bigint; readonly end: bigint }
  /** A word that every table reads as leading to address 0. */
  readonly lure: bigint
  /** Mutants that are no mistake on this hardware, by id, each with why. */
  readonly harmless?: Readonly<Record<string, string>>
}

/** What a model is made with. */
interface ModelOptions<Profile> {
  readonly profile: Profile
  readonly endpoints: MachineSetup['endpoints']
  readonly unit: number
  readonly memory?: PhysicalMemory
}

/** A vendor's model, and how its driver is put over it. `Options`: what of a driver a backend may change. */
export interface ModelVendor<Profile, Ops, Space, Options> extends Traits {
  readonly defaults: Profile
  /** Widths in bits, of physical addresses and of device addresses that all domains take. */
  widths(profile: Profile): { readonly physicalBits: number; readonly deviceBits: number }
  createMachine(options: ModelOptions<Profile>): TestMachine
  createDriver(machines: readonly TestMachine[], setup: DriverSetup, profile: Profile, options: Options | undefined): Ops
  /** Throws RangeError for a machine that is no model of this vendor's. */
  createAdversary(machine: TestMachine, options?: AdversaryOptions): Adversary
  createAddressSpace(machine: TestMachine, name: string, profile: Profile): Space
  idsInUse(ops: Ops): number
}

/** What one kind of hardware has besides its profile. */
export interface BackendOptions<Profile, Options> {
  /** What a second unit lacks, so that `incompatibleFormat` cannot be set behind it. */
  readonly secondUnit?: Partial<Profile>
  readonly incompatibleFormat?: string
  readonly driver?: Options
}

/** Makes a vendor's backends: a name, what the profile has otherwise than by default, and the rest. */
export const backendsOf = <Profile extends object, Ops, Space, Options = never>(
  { defaults, widths, createMachine, createDriver, createAddressSpace, ...traits }: ModelVendor<Profile, Ops, Space, Options>,
) => (name: string, changes: Partial<Profile> = {}, other: BackendOptions<Profile, Options> = {}): ModelBackend<Ops, Space> => {
  const profile: Profile = { ...defaults, ...changes }
  const { secondUnit, incompatibleFormat, driver } = other
  return {
    ...traits,
    backend: name,
    ...widths(profile),
    ...(incompatibleFormat === undefined ? {} : { incompatibleFormat }),
    severalUnits: true,
    createMachine: ({ endpoints, unit, first }) => createMachine({
      profile: unit === 0 ? profile : { ...profile, ...secondUnit },
      endpoints,
      unit,
      ...(first?.memory instanceof PhysicalMemory ? { memory: first.memory } : {}),
    }),
    createDriver: (machines, setup) => createDriver(machines, setup, profile, driver),
    createAddressSpace: (machine, space) => createAddressSpace(machine, space, profile),
  }
}

/** The machines of a driver, unit 0 apart. Throws RangeError where there is none. */
export const unitsOf = <M>(machines: readonly M[]): { readonly machine: M; readonly moreUnits: readonly M[] } => {
  const [machine, ...moreUnits] = machines
  if (machine === undefined) throw new RangeError('a driver needs a machine')
  return { machine, moreUnits }
}
