// A backend: what the suite is handed. It imports no driver.
import type { AddressSpace, Core, CoreOptions, IommuOps, Manifest } from '@iommu/core'
import type { EndpointCapabilities, TestMachine } from '@iommu/hardware'

/** What a machine of a case must have. */
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

/** A process's memory on the CPU's side, with tables in the machine's memory that hardware can walk. */
export interface TestAddressSpace {
  readonly space: AddressSpace
  /** Maps one smallest page, as the CPU does: nobody is told. */
  map(address: bigint, physical: bigint): void
  /** Unmaps one, and tells those who share the tables. */
  unmap(address: bigint): void
  /** The process exits: those who share the tables are told, and then the tables are gone. */
  end(): void
}

/** One driver on one kind of hardware. Each call makes something new. */
export interface Backend {
  /** The driver: "driver-intel-vtd". */
  readonly name: string
  /** The kind of hardware: "scalable mode". */
  readonly backend: string
  createMachine(setup: MachineSetup): TestMachine
  /** `machines[0]` is unit 0. */
  createDriver(machines: readonly TestMachine[], setup: DriverSetup): IommuOps
  /** Width of physical addresses in bits. */
  readonly physicalBits: number
  /** Widest device address that identity and every paging format take, in bits. */
  readonly deviceBits: number
  /** Device addresses that are never memory (x86: interrupt requests); not probed. */
  readonly exempt?: { readonly start: bigint; readonly end: bigint }
  /**
   * Whether a second unit exists that refuses some domains of the first one: the format to allocate for a device
   * of unit 0 that devices of unit 1 cannot take. Absent: nothing is incompatible inside this backend.
   */
  readonly incompatibleFormat?: string
  /** Makes an address space of the machine's CPU. Absent: SVA is not checked. */
  readonly createAddressSpace?: (machine: TestMachine, name: string) => TestAddressSpace
  /** Ids taken for domains on a machine (domain ids, ASIDs, contexts), for leak checks. Absent: not visible. */
  readonly idsInUse?: (ops: IommuOps) => number
}

/** How the core layer is made; variants of it are handed in here. */
export type CreateCore = (ops: IommuOps, options?: CoreOptions) => Core

/** What the driver declares on a backend. */
export const manifestOf = (backend: Backend): Manifest => {
  const machine = backend.createMachine({ endpoints: new Map(), unit: 0 })
  return backend.createDriver([machine], { warn: () => undefined }).manifest
}
