// The backends on which the suite checks this driver: kinds of hardware, each as a model.
import type { IommuOps } from '@iommu/core'
import { backendsOf, unitsOf } from '@iommu/hardware'
import type { ModelBackend, TestMachine } from '@iommu/hardware'
import { createCpuAddressSpace, firstStage } from '@iommu/page-table'
import type { CpuAddressSpace, Format } from '@iommu/page-table'
import { createAmdVi } from './driver.js'
import type { AmdVi, AmdViOptions } from './driver.js'
import { createAmdAdversary, createAmdMachine, defaultProfile } from './model/index.js'
import type { AmdMachine, Profile } from './model/index.js'

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
  const { machine, moreUnits } = unitsOf(machines)
  if (!isAmdMachine(machine)) throw new RangeError('the driver needs a modelled AMD IOMMU')
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

const backend = backendsOf<Profile, IommuOps, CpuAddressSpace, Partial<AmdViOptions>>({
  name: 'driver-amd-vi',
  exempt: { start: 0xfee0_0000n, end: 0xfeef_ffffn },
  lure: LURE,
  defaults: defaultProfile,
  widths: ({ hostAddressBits }) => ({ physicalBits: hostAddressBits, deviceBits: Math.min(47, hostAddressBits) }),
  createMachine: createAmdMachine,
  createDriver: (machines, { warn }, _profile, options) => driverOver(machines, warn, options),
  createAdversary(machine, options) {
    if (!isAmdMachine(machine)) throw new RangeError('adversarial mode needs a modelled AMD IOMMU')
    return createAmdAdversary(machine, { queue: 'unordered', ...options })
  },
  createAddressSpace: ({ memory }, name, profile) => createCpuAddressSpace(memory, name, cpuTables(profile.hostAddressBits)),
  idsInUse: (ops) => (isAmd(ops) ? ops.domainIdsInUse() : 0),
})

const FEWER_LEVELS = { secondUnit: { hostLevels: 4 }, incompatibleFormat: 'v1' } as const

/** The first one is where mutants are judged that show everywhere. */
export const backends: readonly ModelBackend<IommuOps, CpuAddressSpace>[] = [
  backend('guest and host tables', {}, FEWER_LEVELS),
  backend('guest and host tables, absent entries cached', { notPresentCache: true }, FEWER_LEVELS),
  backend('guest tables of 4 levels', { fiveLevelGuest: false }, { ...FEWER_LEVELS, driver: { hostLeaves: [12, 21] } }),
  backend('guest tables on PASIDs only', { guestIo: false }, FEWER_LEVELS),
  backend('guest tables only', { hostLevels: 0 }, { secondUnit: { fiveLevelGuest: false }, incompatibleFormat: 'v2-5' }),
  backend('host tables', { guest: false }, FEWER_LEVELS),
  backend('host tables, absent entries cached', { guest: false, notPresentCache: true }, FEWER_LEVELS),
  backend('host tables of 4 levels, small pages', { guest: false, hostLevels: 4 }, { driver: { hostLeaves: [12] } }),
  backend('16-bit PASIDs, a GCR3 table of two levels', { pasidBits: 16, gcr3Levels: 2 }, FEWER_LEVELS),
  backend('9-bit PASIDs, a GCR3 table of one level, no NX', { pasidBits: 9, gcr3Levels: 1, noExecute: false }, FEWER_LEVELS),
  backend('host tables of 5 levels, no device TLBs', { guest: false, hostLevels: 5, deviceTlb: false, hostDirty: false, hostAddressBits: 46 }, FEWER_LEVELS),
]
