// Drivers on QEMU: backends whose machines are emulated boards.
import { createAmdVi } from '@iommu/driver-amd-vi'
import { driverOver as armOver } from '@iommu/driver-arm-smmuv3/backends'
import { driverOver as intelOver } from '@iommu/driver-intel-vtd/backends'
import { cpuTables, driverOver as riscvOver } from '@iommu/driver-riscv/backends'
import { OFFSETS, readCapabilities } from '@iommu/driver-riscv/registers'
import type { Backend } from '@iommu/conformance'
import type { IommuOps } from '@iommu/core'
import type { Riscv } from '@iommu/driver-riscv'
import {
  amdCapabilityHeader, amdVi, boardLack, factsOf, riscv, riscvBase, smmuv3, startQemu, unavailable, vtdFirstStage, vtdFirstStageCaching, vtdLegacy,
  vtdLegacyCaching, vtdSecondStage, vtdSecondStageCaching, withoutGuestTables, withoutProcessDirectories,
} from '@iommu/machine-qemu'
import type { Board, Installation, Qemu, QemuMachine } from '@iommu/machine-qemu'
import { createCpuAddressSpace } from '@iommu/page-table'

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
const createPool = (board: Board, installation: Installation): { readonly next: Qemu['machine']; stop(): void } => {
  const running: Qemu[] = []
  let turn = 0
  return {
    next(endpoints) {
      const index = turn++ % AT_ONCE
      const qemu = running[index] ??= startQemu({ board, installation })
      return qemu.machine(endpoints)
    },
    stop() {
      for (const qemu of running.splice(0)) qemu.stop()
    },
  }
}

/** What of a backend depends on the driver. */
type DriverSide = Pick<Backend,
  'name' | 'physicalBits' | 'physicalBase' | 'mapped' | 'unmapped' | 'base' | 'exempt' | 'createDriver' | 'createAddressSpace' | 'idsInUse'>

interface Kind {
  readonly board: Board
  readonly says: string
  /** The machine as the driver is to see it, where it is not all that the board has. */
  readonly shown?: (machine: QemuMachine) => QemuMachine
  /** Its devices have PASIDs: an IOMMU that cannot be asked about them cannot be it. */
  readonly pasids?: true
}

const PC_INTERRUPTS = { start: 0xfee0_0000n, end: 0xfeef_ffffn }

const idsInUse = (ops: IommuOps): number => {
  const count = 'domainIdsInUse' in ops ? ops.domainIdsInUse : 'idsInUse' in ops ? ops.idsInUse : undefined
  return typeof count === 'function' ? count.call(ops) as number : 0
}

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

/** virt's RAM begins at 1 GiB: what identity lets through, and what is mapped, lies above. Below are devices. */
const VIRT_RAM = 0x4000_0000n

const arm: DriverSide = {
  name: 'driver-arm-smmuv3',
  physicalBits: 44,
  physicalBase: VIRT_RAM,
  mapped: [VIRT_RAM + 0x10_0000n, 2n * VIRT_RAM],
  unmapped: VIRT_RAM + 0x20_0000n,
  base: 3n * VIRT_RAM,
  exempt: { start: 0n, end: VIRT_RAM - 1n },
  createDriver: (machines, { warn }) => armOver(machines, warn),
  idsInUse,
}

/** virt's RAM begins at 2 GiB here. */
const RISCV_RAM = 0x8000_0000n

const riscvSide: DriverSide = {
  name: 'driver-riscv',
  physicalBits: 56,
  physicalBase: RISCV_RAM,
  mapped: [RISCV_RAM + 0x10_0000n, RISCV_RAM + 0x4000_0000n],
  unmapped: RISCV_RAM + 0x20_0000n,
  base: 2n * RISCV_RAM,
  exempt: { start: 0n, end: RISCV_RAM - 1n },
  createDriver: (machines, { warn }) => riscvOver(machines, warn),
  createAddressSpace({ memory, registers }, name) {
    const { firstStageLevels, physicalBits } = readCapabilities(registers.read64(OFFSETS.capabilities))
    return createCpuAddressSpace(memory, name, cpuTables({ firstStage: firstStageLevels, physicalBits }))
  },
  idsInUse: (ops) => (ops as Riscv).identifiersInUse(),
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
  'driver-arm-smmuv3': { side: arm, kinds: [{ board: smmuv3, says: 'every stage that it has' }] },
  'driver-riscv': {
    side: riscvSide,
    kinds: [
      { board: riscv, says: 'process contexts', pasids: true },
      { board: riscv, says: 'device contexts alone, both stages', shown: withoutProcessDirectories },
      { board: riscvBase, says: 'base contexts, process contexts', pasids: true },
      { board: riscvBase, says: 'base contexts alone, both stages', shown: withoutProcessDirectories },
    ],
  },
}

/** Drivers that have a board. */
export const driversOnQemu: readonly string[] = Object.keys(sides)

/** The backends of a driver on an installation; none for a driver that has no board. */
export const qemuBackends = (driver: string, installation: Installation): readonly QemuBackend[] => {
  const { side, kinds } = sides[driver] ?? { kinds: [] }
  if (side === undefined) return []
  return kinds.map(({ says, board, pasids, shown = (machine) => machine }): QemuBackend => {
    const lack = boardLack(board, installation)
      ?? (pasids === true && board.pasids?.(factsOf(installation, board.emulator)) === undefined
        ? `QEMU ${installation.version} cannot be asked where requests with PASIDs go` : undefined)
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
          return shown(pool.next(endpoints))
        },
      },
    }
  })
}
