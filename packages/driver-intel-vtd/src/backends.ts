// The backends on which the suite checks this driver: kinds of hardware, each as a model.
import type { IommuOps } from '@iommu/core'
import { backendsOf, unitsOf } from '@iommu/hardware'
import type { ModelBackend, TestMachine } from '@iommu/hardware'
import { createCpuAddressSpace, firstStage } from '@iommu/page-table'
import type { CpuAddressSpace, Format } from '@iommu/page-table'
import { createIntelVtd } from './driver.js'
import type { IntelVtd, VtdOptions } from './driver.js'
import { createVtdAdversary, createVtdMachine, defaultProfile } from './model/index.js'
import type { Profile, VtdMachine } from './model/index.js'

/** In every table here: present, readable, writable, for users, and at address 0. */
const LURE = 0x67n

const isVtdMachine = (machine: TestMachine): machine is VtdMachine => 'hardware' in machine

const isVtd = (ops: IommuOps): ops is IntelVtd => 'domainIdsInUse' in ops

/** How a CPU of this machine writes a process's tables. */
export const cpuTables = (addressBits: number): Format =>
  firstStage({ levels: 4, leafShifts: [12, 21], addressBits, noExecute: false })

/** Makes the driver over a backend's machines, with some options of the driver changed. */
export const driverOver = (
  machines: readonly TestMachine[], warn: (sentence: string) => void, hostAddressBits: number, options: Partial<VtdOptions> = {},
): IntelVtd => {
  const { machine, moreUnits } = unitsOf(machines)
  return createIntelVtd(machine, { hostAddressBits, moreUnits, warn, ...options })
}

const backend = backendsOf<Profile, IommuOps, CpuAddressSpace>({
  name: 'driver-intel-vtd',
  exempt: { start: 0xfee0_0000n, end: 0xfeef_ffffn },
  lure: LURE,
  defaults: defaultProfile,
  widths: ({ hostAddressBits }) => ({ physicalBits: hostAddressBits, deviceBits: 39 }),
  createMachine: createVtdMachine,
  createDriver: (machines, { warn }, { hostAddressBits }) => driverOver(machines, warn, hostAddressBits),
  createAdversary(machine, options) {
    if (!isVtdMachine(machine)) throw new RangeError('adversarial mode is over a VT-d machine')
    // Linux relies on hardware to order the IOTLB before device TLBs; this driver waits, and needs no order at all.
    return createVtdAdversary(machine, { queue: 'unordered', ...options })
  },
  createAddressSpace: ({ memory }, name, profile) => createCpuAddressSpace(memory, name, cpuTables(profile.hostAddressBits)),
  idsInUse: (ops) => (isVtd(ops) ? ops.domainIdsInUse() : 0),
})

const FEWER_LEVELS = { secondUnit: { levels: [3, 4] }, incompatibleFormat: 'second-stage-5' } as const
const LEGACY = { scalable: false, levels: [3, 4] } as const

/** The first one is where mutants are judged that show everywhere. */
export const backends: readonly ModelBackend<IommuOps, CpuAddressSpace>[] = [
  backend('scalable mode', {}, FEWER_LEVELS),
  backend('scalable mode, caching mode', { cachingMode: true }, FEWER_LEVELS),
  backend('scalable mode, walker does not snoop', { coherent: false }, FEWER_LEVELS),
  backend('scalable mode, second stage only', { firstStage: false }, FEWER_LEVELS),
  backend('scalable mode, first stage only', { secondStage: false }, {
    secondUnit: { fiveLevelFirstStage: false }, incompatibleFormat: 'first-stage-5',
  }),
  backend('scalable mode, no PASIDs', { pasidBits: 0 }, FEWER_LEVELS),
  backend('scalable mode, no pass-through', { passThrough: false, hostAddressBits: 39 }, FEWER_LEVELS),
  backend('legacy mode', LEGACY, { secondUnit: { levels: [4] }, incompatibleFormat: 'second-stage-3' }),
  backend('legacy mode, caching mode', { ...LEGACY, cachingMode: true }),
  backend('legacy mode, walker does not snoop', { ...LEGACY, coherent: false, writeBufferFlush: true }),
  backend('legacy mode, small pages, flushes by domain', { ...LEGACY, largePages: false, hugePages: false, pageSelective: false }),
  backend('legacy mode, no pass-through', { ...LEGACY, passThrough: false, hostAddressBits: 39 }),
  backend('legacy mode, no identity', { ...LEGACY, passThrough: false, largePages: false, hugePages: false }),
  backend('scalable mode, 10-bit PASIDs, no device TLBs', {
    pasidBits: 10, deviceTlb: false, snoopControl: false, rootPointerInvalidates: true, fiveLevelFirstStage: false, faultRecords: 1,
  }, FEWER_LEVELS),
  backend('legacy mode, 3 levels, 256 domain ids', { ...LEGACY, levels: [3], guestAddressBits: 39, hugePages: false, domainIdClass: 2 }),
]
