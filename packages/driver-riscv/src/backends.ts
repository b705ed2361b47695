// The backends on which the suite checks this driver: kinds of hardware, each as a model.
import type { IommuOps } from '@iommu/core'
import { PhysicalMemory } from '@iommu/hardware'
import type { Adversary, AdversaryOptions, EndpointCapabilities, TestMachine } from '@iommu/hardware'
import { createCpuAddressSpace, svFirstStage } from '@iommu/page-table'
import type { CpuAddressSpace, Format } from '@iommu/page-table'
import { createRiscv } from './driver.js'
import type { Riscv, RiscvOptions } from './driver.js'
import { createRiscvAdversary, createRiscvMachine, defaultProfile } from './model/index.js'
import type { Profile, RiscvMachine } from './model/index.js'
import type { Levels } from './tables/index.js'

/** What a backend is made of; the shape that @iommu/conformance takes. */
export interface RiscvBackend {
  readonly name: string
  readonly backend: string
  readonly physicalBits: number
  readonly deviceBits: number
  readonly incompatibleFormat?: string
  readonly lure: bigint
  readonly harmless: Readonly<Record<string, string>>
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

/** A leaf for everybody at address 0, at every level. */
const LURE = 0xdfn

const isRiscv = (ops: IommuOps): ops is Riscv => 'identifiersInUse' in ops
const isRiscvMachine = (machine: TestMachine): machine is RiscvMachine => 'hardware' in machine

/** How a CPU of this machine writes a process's tables. */
export const cpuTables = ({ firstStage, physicalBits }: Pick<Profile, 'firstStage' | 'physicalBits'>): Format => {
  const levels: Levels = firstStage.includes(4) ? 4 : firstStage[0] ?? 3
  return svFirstStage({ levels, physicalBits, leafShifts: [12, 21] })
}

/** Makes the driver over a backend's machines, with some options of the driver changed. */
export const driverOver = (
  machines: readonly TestMachine[], warn: (sentence: string) => void, options: Partial<RiscvOptions> = {},
): Riscv => {
  const [machine, ...moreUnits] = machines
  if (machine === undefined) throw new RangeError('a driver needs a machine')
  return createRiscv(machine, { moreUnits, warn, ...options })
}

/** `secondUnit`: what a second unit lacks, so that `incompatibleFormat` cannot be set behind it. */
const backend = (
  name: string, profile: Partial<Profile>, other: { readonly secondUnit?: Partial<Profile>; readonly incompatibleFormat?: string } = {},
): RiscvBackend => {
  const whole: Profile = { ...defaultProfile, ...profile }
  return {
    name: 'driver-riscv',
    backend: name,
    physicalBits: whole.physicalBits,
    // The lower half of Sv39, the narrowest format.
    deviceBits: 38,
    ...(other.incompatibleFormat === undefined ? {} : { incompatibleFormat: other.incompatibleFormat }),
    lure: LURE,
    harmless: {
      'map-not-synced': 'nothing that is not valid is ever cached: a map needs no flush',
      'sva-flushes-beside': 'without the NL capability a flush of one page of a process takes all of its pages',
    },
    createMachine: ({ endpoints, unit, first }) => createRiscvMachine({
      profile: unit === 0 ? whole : { ...whole, ...other.secondUnit },
      endpoints,
      unit,
      ...(first?.memory instanceof PhysicalMemory ? { memory: first.memory } : {}),
    }),
    createDriver: (machines, { warn }) => driverOver(machines, warn),
    createAdversary(machine, options) {
      if (!isRiscvMachine(machine)) throw new RangeError('adversarial mode is over a RISC-V machine')
      return createRiscvAdversary(machine, options)
    },
    createAddressSpace: ({ memory }, name) => createCpuAddressSpace(memory, name, cpuTables(whole)),
    idsInUse: (ops) => (isRiscv(ops) ? ops.identifiersInUse() : 0),
  }
}

const FEWER_LEVELS = { secondUnit: { firstStage: [3, 4] }, incompatibleFormat: 'sv57' } as const
const NO_PASIDS = { processLevels: [] } as const

/** The first one is where mutants are judged that show everywhere. */
export const backends: readonly RiscvBackend[] = [
  backend('extended contexts', {}, FEWER_LEVELS),
  backend('base contexts', { extended: false }, FEWER_LEVELS),
  backend('one-level device directory, PD8', { directoryLevels: 1, processLevels: [1] }, FEWER_LEVELS),
  backend('base contexts, two-level device directory, PD17', { extended: false, directoryLevels: 2, processLevels: [1, 2] }, FEWER_LEVELS),
  backend('Sv39', { firstStage: [3], secondStage: [3] }, { secondUnit: { physicalBits: 44 }, incompatibleFormat: 'sv39' }),
  backend('invalidations of ranges and non-leaf entries', { ranges: true, nonLeaf: true }, FEWER_LEVELS),
  backend('hardware that sets A and D, and ignores bits 60:59', { accessedDirty: true, softwareBits: true, memoryTypes: false }, FEWER_LEVELS),
  backend('no PASIDs', NO_PASIDS, FEWER_LEVELS),
  backend('no PASIDs, base contexts, Sv39 and Sv39x4', { ...NO_PASIDS, extended: false, directoryLevels: 2, firstStage: [3], secondStage: [3] }),
  backend('second stage only', { firstStage: [] }, { secondUnit: { secondStage: [3, 4] }, incompatibleFormat: 'sv57x4' }),
  backend('no ATS', { ats: false }, FEWER_LEVELS),
]
