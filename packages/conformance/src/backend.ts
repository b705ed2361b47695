// A backend: what the suite is handed. It imports no driver.
import type { AddressSpace, Core, CoreOptions, IommuOps, Manifest } from '@iommu/core'
import type { Adversary, AdversaryOptions, DriverSetup, MachineSetup, TestMachine } from '@iommu/hardware'

export type { DriverSetup, MachineSetup } from '@iommu/hardware'

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
  /**
   * Adversarial mode over a machine: it is made before the driver, and sees every store. Absent: the model's caches
   * stand in for it where they can, and what only it can say is unavailable.
   */
  readonly createAdversary?: (machine: TestMachine, options?: AdversaryOptions) => Adversary
  /**
   * A word that the backend's tables read as present, writable and leading to address 0, whatever the table. Memory
   * at 0 is filled with it under adversarial mode, so that a pointer of zero is not harmless. 0 where absent.
   */
  readonly lure?: bigint
  /** Device addresses that states map, two of them, aligned to the smallest page; 1 MiB and 1 GiB where absent. */
  readonly mapped?: readonly [bigint, bigint]
  /** One that no state maps; 2 MiB where absent. */
  readonly unmapped?: bigint
  /** Where statements about mappings map, with room on both sides; 1 GiB where absent. */
  readonly base?: bigint
  /** Where memory begins, aligned to 1 GiB: every physical address that a statement chooses is counted from here. 0 where absent. */
  readonly physicalBase?: bigint
  /** Whether a device address is never translated, whatever is attached (outside of an aperture). Absent: all are. */
  readonly untranslated?: (address: bigint) => boolean
  /** The driver takes several machines, whose units share their memory. Absent: one. */
  readonly severalUnits?: true
  /** All devices share one translation: what needs two independent ones is not declared. */
  readonly oneTranslation?: true
  /** Why an attach cannot fail here: it takes no memory and waits for nothing. */
  readonly attachCannotFail?: string
  /** Why a map cannot fail here: it takes no memory. */
  readonly mapCannotFail?: string
  /** Mutants of any driver, or of the core layer, that are no mistake on this hardware, by id, each with why: the statement that they break holds. */
  readonly harmless?: Readonly<Record<string, string>>
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
