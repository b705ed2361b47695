// The backends on which the suite checks this driver: kinds of hardware, each as a model.
import type { IommuOps } from '@iommu/core'
import { backendsOf, unitsOf } from '@iommu/hardware'
import type { ModelBackend, TestMachine } from '@iommu/hardware'
import { createCpuAddressSpace, svFirstStage } from '@iommu/page-table'
import type { CpuAddressSpace, Format } from '@iommu/page-table'
import { createRiscv } from './driver.js'
import type { Riscv, RiscvOptions } from './driver.js'
import { createRiscvAdversary, createRiscvMachine, defaultProfile } from './model/index.js'
import type { Profile, RiscvMachine } from './model/index.js'
import type { Levels } from './tables/index.js'

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
  const { machine, moreUnits } = unitsOf(machines)
  return createRiscv(machine, { moreUnits, warn, ...options })
}

const backend = backendsOf<Profile, IommuOps, CpuAddressSpace>({
  name: 'driver-riscv',
  lure: LURE,
  harmless: {
    'map-not-synced': 'nothing that is not valid is ever cached: a map needs no flush',
    'sva-flushes-beside': 'without the NL capability a flush of one page of a process takes all of its pages',
  },
  defaults: defaultProfile,
  // The lower half of Sv39, the narrowest format.
  widths: ({ physicalBits }) => ({ physicalBits, deviceBits: 38 }),
  createMachine: createRiscvMachine,
  createDriver: (machines, { warn }) => driverOver(machines, warn),
  createAdversary(machine, options) {
    if (!isRiscvMachine(machine)) throw new RangeError('adversarial mode is over a RISC-V machine')
    return createRiscvAdversary(machine, options)
  },
  createAddressSpace: ({ memory }, name, profile) => createCpuAddressSpace(memory, name, cpuTables(profile)),
  idsInUse: (ops) => (isRiscv(ops) ? ops.identifiersInUse() : 0),
})

const FEWER_LEVELS = { secondUnit: { firstStage: [3, 4] }, incompatibleFormat: 'sv57' } as const
const NO_PASIDS = { processLevels: [] } as const

/** The first one is where mutants are judged that show everywhere. */
export const backends: readonly ModelBackend<IommuOps, CpuAddressSpace>[] = [
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
  backend('first stage only, invalidations of ranges', { secondStage: [], ranges: true, physicalBits: 56 }, FEWER_LEVELS),
  backend('invalidations of non-leaf entries', { nonLeaf: true, guestAts: true, qualityOfService: true }, FEWER_LEVELS),
]
