// Drivers on QEMU: backends whose machines are emulated boards.
import { createAmdVi } from '@iommu/driver-amd-vi'
import { driverOver as intelOver } from '@iommu/driver-intel-vtd/backends'
import type { Backend } from '@iommu/conformance'
import type { IommuOps } from '@iommu/core'
import {
  amdCapabilityHeader, amdVi, boardLack, startQemu, unavailable, vtdFirstStage, vtdFirstStageCaching, vtdLegacy, vtdLegacyCaching,
  vtdSecondStage, vtdSecondStageCaching, withoutGuestTables,
} from '@iommu/machine-qemu'
import type { Board, Installation, Qemu, QemuMachine } from '@iommu/machine-qemu'

/** QEMUs that run at once: a case may compare two machines, and none needs more of them. */
const AT_ONCE = 2

/** The emulated machines have RAM at these addresses; further up a DMA would meet nothing. */
const DEVICE_BITS = 33

/** A driver on a board. */
export interface QemuBackend {
  readonly backend: Backend
  readonly board: Board
  /** Why this QEMU cannot be the board. Such a backend makes no machines. */
  readonly lack?: string
  /** Ends the QEMUs that its machines stand on. They start when the first machine is made. */
  stop(): void
}


/** Machines of a board, in turn: each call takes the one that was taken longest ago, which is then no more. */
const createPool = (board: Board, installation: Installation): { next(): ReturnType<Qemu['machine']>; stop(): void } => {
  const running: Qemu[] = []
  let turn = 0
  return {
    next() {
      const index = turn++ % AT_ONCE
      const qemu = running[index] ??= startQemu({ board, installation })
      return qemu.machine()
    },
    stop() {
      for (const qemu of running.splice(0)) qemu.stop()
    },
  }
}

/** What of a backend depends on the driver. */
type DriverSide = Pick<Backend, 'name' | 'physicalBits' | 'exempt' | 'createDriver' | 'idsInUse'>

interface Kind {
  readonly board: Board
  readonly says: string
}

const PC_INTERRUPTS = { start: 0xfee0_0000n, end: 0xfeef_ffffn }

const idsInUse = (ops: IommuOps): number => ('domainIdsInUse' in ops ? (ops.domainIdsInUse as () => number)() : 0)

const intel: DriverSide = {
  name: 'driver-intel-vtd',
  physicalBits: 48,
  exempt: PC_INTERRUPTS,
  createDriver: (machines, { warn }) => intelOver(machines, warn, 48),
  idsInUse,
}

/** Leaves by single entries and by groups; all sizes together take the suite long. */
const AMD_LEAVES = [12, 13, 16, 21, 25, 30]

const amd: DriverSide = {
  name: 'driver-amd-vi',
  physicalBits: 52,
  exempt: PC_INTERRUPTS,
  createDriver(machines, { warn }) {
    const machine = machines[0] as QemuMachine
    return createAmdVi(withoutGuestTables(machine), {
      hostAddressBits: 52, capabilityHeader: amdCapabilityHeader(machine), lastDeviceId: 0xff, hostLeaves: AMD_LEAVES, warn,
    })
  },
  idsInUse,
}

const sides: Readonly<Record<string, { readonly side: DriverSide; readonly kinds: readonly Kind[] }>> = {
  'driver-intel-vtd': {
    side: intel,
    kinds: [
      { board: vtdLegacy, says: 'legacy mode' },
      { board: vtdSecondStage, says: 'scalable mode, second stage' },
      { board: vtdFirstStage, says: 'scalable mode, first stage' },
      { board: vtdLegacyCaching, says: 'legacy mode, caching mode' },
      { board: vtdSecondStageCaching, says: 'scalable mode, second stage, caching mode' },
      { board: vtdFirstStageCaching, says: 'scalable mode, first stage, caching mode' },
    ],
  },
  'driver-amd-vi': { side: amd, kinds: [{ board: amdVi, says: 'host tables' }] },
}

/** Drivers that have a board. */
export const driversOnQemu: readonly string[] = Object.keys(sides)

/** The backends of a driver on an installation; none for a driver that has no board. */
export const qemuBackends = (driver: string, installation: Installation): readonly QemuBackend[] => {
  const { side, kinds } = sides[driver] ?? { kinds: [] }
  if (side === undefined) return []
  return kinds.map(({ says, board }): QemuBackend => {
    const lack = boardLack(board, installation)
    const pool = createPool(board, installation)
    return {
      board,
      ...(lack === undefined ? {} : { lack }),
      stop: () => pool.stop(),
      backend: {
        ...side,
        backend: says,
        deviceBits: DEVICE_BITS,
        createMachine({ unit, endpoints }) {
          if (unit > 0) unavailable('the board has one IOMMU')
          if ([...endpoints.values()].some(({ atsQueueDepth }) => atsQueueDepth !== undefined)) unavailable('no device of QEMU here does ATS')
          return pool.next()
        },
      },
    }
  })
}
