// The backends on which the suite checks this driver: kinds of hardware, each as a model.
import type { IommuOps } from '@iommu/core'
import { backendsOf, unitsOf } from '@iommu/hardware'
import type { ModelBackend, TestMachine } from '@iommu/hardware'
import { armStage1, createCpuAddressSpace } from '@iommu/page-table'
import type { CpuAddressSpace, Format } from '@iommu/page-table'
import { createArmSmmuv3 } from './driver.js'
import type { ArmSmmuv3, SmmuOptions } from './driver.js'
import { createSmmuAdversary, createSmmuMachine, defaultProfile } from './model/index.js'
import type { Profile, SmmuMachine } from './model/index.js'

/**
 * A stream table entry of stage 1, and a table or a page that may be read and written: what is at address 0 leads on to
 * somewhere in its page.
 */
const LURE = 0x44bn

const isSmmuMachine = (machine: TestMachine): machine is SmmuMachine => 'hardware' in machine

const isSmmu = (ops: IommuOps): ops is ArmSmmuv3 => 'idsInUse' in ops

/** How a CPU of this machine writes a process's tables. */
export const cpuTables = ({ granules, outputBits }: Profile): Format =>
  armStage1({ granuleShift: granules[0] ?? 12, inputBits: 48, addressBits: outputBits })

/** Makes the driver over a backend's machines, with some options of the driver changed. */
export const driverOver = (
  machines: readonly TestMachine[], warn: (sentence: string) => void, options: Partial<SmmuOptions> = {},
): ArmSmmuv3 => {
  const { machine, moreUnits } = unitsOf(machines)
  return createArmSmmuv3(machine, { moreUnits, warn, ...options })
}

const backend = backendsOf<Profile, IommuOps, CpuAddressSpace>({
  name: 'driver-arm-smmuv3',
  lure: LURE,
  harmless: {
    'map-not-synced': 'that nothing is mapped is never cached (IHI0070 3.21.1): a map needs no flush',
  },
  defaults: defaultProfile,
  widths: ({ outputBits }) => ({ physicalBits: outputBits, deviceBits: Math.min(outputBits, 39) }),
  createMachine: createSmmuMachine,
  createDriver: (machines, { warn }) => driverOver(machines, warn),
  createAdversary(machine, options) {
    if (!isSmmuMachine(machine)) throw new RangeError('adversarial mode is over an SMMU')
    return createSmmuAdversary(machine, options)
  },
  createAddressSpace: ({ memory }, name, profile) => createCpuAddressSpace(memory, name, cpuTables(profile)),
  idsInUse: (ops) => (isSmmu(ops) ? ops.idsInUse() : 0),
})

const SMALL = { granules: [12] } as const
const NO_STAGE_2 = { secondUnit: { stage2: false }, incompatibleFormat: 'stage-2-4k' } as const

/** The first one is where mutants are judged that show everywhere. */
export const backends: readonly ModelBackend<IommuOps, CpuAddressSpace>[] = [
  backend('stage 1', { ...SMALL, stage2: false }, { secondUnit: { granules: [16] }, incompatibleFormat: 'stage-1-4k' }),
  backend('stage 1, every granule', { stage2: false }, { secondUnit: SMALL, incompatibleFormat: 'stage-1-64k' }),
  backend('stage 1 and 2', { ...SMALL }, NO_STAGE_2),
  backend('stage 1 and 2, no SSIDs', { ...SMALL, substreamBits: 0 }, NO_STAGE_2),
  backend('stage 2, every granule', { stage1: false, outputBits: 40 }, { secondUnit: { outputBits: 36 }, incompatibleFormat: 'stage-2-4k' }),
  backend('linear stream table', { ...SMALL, stage2: false, twoLevelStreams: false, streamBits: 10 }),
  backend('does not snoop', { ...SMALL, coherent: false }),
  backend('no range invalidation', { ...SMALL, rangeInvalidation: false }),
  backend('break before make', { ...SMALL, stage2: false, breakBeforeMakeLevel: 0 }),
  backend('32-bit addresses, 8-bit ids', { ...SMALL, outputBits: 32, wideAsids: false, wideVmids: false }),
  backend('stalls can be disabled', { ...SMALL, stage2: false, stalls: 'optional', abortOnly: false }),
  backend('every fault stalls', { ...SMALL, stalls: 'always', abortOnly: false }),
  backend('8-bit SSIDs in linear CD tables, no ATS', {
    ...SMALL, substreamBits: 8, twoLevelContexts: false, ats: false, attributeOverride: false, breakBeforeMakeLevel: 1,
    commandQueue: 4, eventQueue: 4,
  }, NO_STAGE_2),
  backend('48-bit addresses, granules of 16 KiB', { granules: [14], outputBits: 48 }, { secondUnit: { outputBits: 44 }, incompatibleFormat: 'stage-1-16k' }),
]
