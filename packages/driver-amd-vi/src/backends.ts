// The backends on which the suite checks this driver: kinds of hardware, each as a model.
import type { IommuOps } from '@iommu/core'
import { PhysicalMemory } from '@iommu/hardware'
import type { Adversary, AdversaryOptions, EndpointCapabilities, TestMachine } from '@iommu/hardware'
import { createCpuAddressSpace, firstStage } from '@iommu/page-table'
import type { CpuAddressSpace, Format } from '@iommu/page-table'
import { createAmdVi } from './driver.js'
import type { AmdVi, AmdViOptions } from './driver.js'
import { createAmdAdversary, createAmdMachine, defaultProfile } from './model/index.js'
import type { AmdMachine, Profile } from './model/index.js'

/** What a backend is made of; the shape that @iommu/conformance takes. */
export interface AmdBackend {
  readonly name: string
  readonly backend: string
  readonly physicalBits: number
  readonly deviceBits: number
  readonly exempt: { readonly start: bigint; readonly end: bigint }
  readonly incompatibleFormat?: string
  readonly lure: bigint
  createMachine(setup: {
    readonly endpoints: ReadonlyMap<number, EndpointCapabilities>
    readonly unit: number
    readonly first?: TestMachine
  }): TestMachine
  createDriver(machines: readonly TestMachine[], setup: { readonly warn: (sentence: string) => void }): IommuOps
  createAdversary(machine: TestMachine, options?: AdversaryOptions): Adversary
  createAddressSpace(machine: TestMachine, name: string): CpuAddressSpace
  idsInUse(ops: IommuOps): number
}

const isAmd = (ops: IommuOps): ops is AmdVi => 'domainIdsInUse' in ops
const isAmdMachine = (machine: TestMachine): machine is AmdMachine => 'capabilityHeader' in machine

/** How a CPU of this machine writes a process's tables. */
export const cpuTables = (addressBits: number): Format =>
  firstStage({ levels: 4, leafShifts: [12, 21], addressBits, noExecute: false })

/** Device ids of a machine with two buses: the table stays small. */
const LAST_DEVICE_ID = 0x1ff

/** Makes the driver over a backend's machines, with some options of the driver changed. */
export const driverOver = (
  machines: readonly TestMachine[], warn: (sentence: string) => void, options: Partial<AmdViOptions> = {},
): AmdVi => {
  const [machine, ...moreUnits] = machines
  if (machine === undefined || !isAmdMachine(machine)) throw new RangeError('the driver needs a modelled AMD IOMMU')
  return createAmdVi(machine, {
    hostAddressBits: machine.profile.hostAddressBits, capabilityHeader: machine.capabilityHeader, lastDeviceId: LAST_DEVICE_ID,
    hostLeaves: SOME_LEAVES, moreUnits, warn, ...options,
  })
}

/** Host leaves by single entries and by groups of every kind; all sizes together take the suite long. */
const SOME_LEAVES = [12, 13, 16, 21, 25, 30]

/**
 * Present, readable, writable, and leading to address 0, for host tables of every level (as a table of the next level
 * down it is not one at all levels, as a leaf it is), GCR3 tables and guest tables.
 */
const LURE = 0x6000_0000_0000_0067n

/** `secondUnit`: what a second unit lacks, so that `incompatibleFormat` cannot be set behind it. */
const backend = (
  name: string, profile: Partial<Profile>, other: {
    readonly secondUnit?: Partial<Profile>; readonly incompatibleFormat?: string; readonly driver?: Partial<AmdViOptions>
  } = {},
): AmdBackend => {
  const whole: Profile = { ...defaultProfile, ...profile }
  return {
    name: 'driver-amd-vi',
    backend: name,
    physicalBits: whole.hostAddressBits,
    deviceBits: Math.min(47, whole.hostAddressBits),
    exempt: { start: 0xfee0_0000n, end: 0xfeef_ffffn },
    ...(other.incompatibleFormat === undefined ? {} : { incompatibleFormat: other.incompatibleFormat }),
    lure: LURE,
    createMachine: ({ endpoints, unit, first }) => createAmdMachine({
      profile: unit === 0 ? whole : { ...whole, ...other.secondUnit },
      endpoints,
      unit,
      ...(first?.memory instanceof PhysicalMemory ? { memory: first.memory } : {}),
    }),
    createDriver: (machines, { warn }) => driverOver(machines, warn, other.driver),
    createAdversary(machine, options) {
      if (!isAmdMachine(machine)) throw new RangeError('adversarial mode needs a modelled AMD IOMMU')
      return createAmdAdversary(machine, { queue: 'unordered', ...options })
    },
    createAddressSpace: ({ memory }, name) => createCpuAddressSpace(memory, name, cpuTables(whole.hostAddressBits)),
    idsInUse: (ops) => (isAmd(ops) ? ops.domainIdsInUse() : 0),
  }
}

const FEWER_LEVELS = { secondUnit: { hostLevels: 4 }, incompatibleFormat: 'v1' } as const

/** The first one is where mutants are judged that show everywhere. */
export const backends: readonly AmdBackend[] = [
  backend('guest and host tables', {}, FEWER_LEVELS),
  backend('guest and host tables, absent entries cached', { notPresentCache: true }, FEWER_LEVELS),
  backend('guest tables of 4 levels', { fiveLevelGuest: false }, { ...FEWER_LEVELS, driver: { hostLeaves: [12, 21] } }),
  backend('guest tables on PASIDs only', { guestIo: false }, FEWER_LEVELS),
  backend('guest tables only', { hostLevels: 0 }, { secondUnit: { fiveLevelGuest: false }, incompatibleFormat: 'v2-5' }),
  backend('host tables', { guest: false }, FEWER_LEVELS),
  backend('host tables, absent entries cached', { guest: false, notPresentCache: true }, FEWER_LEVELS),
  backend('host tables of 4 levels, small pages', { guest: false, hostLevels: 4 }, { driver: { hostLeaves: [12] } }),
  backend('16-bit PASIDs, a GCR3 table of two levels', { pasidBits: 16, gcr3Levels: 2 }, FEWER_LEVELS),
]
