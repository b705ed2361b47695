// A board: one of QEMU's platforms with one IOMMU, as arguments, addresses and ways to read its faults.
import type { DmaRequest, Fault, Memory, Registers } from '@iommu/hardware'
import type { Emulator, Installation } from '../installations.js'
import type { ConfigSpace } from '../pci.js'
import type { RamRange } from '../ram.js'

/** A fault as the hardware recorded it. */
export interface RecordedFault extends Fault {
  readonly source: number
  /** As recorded: a page, or the whole address. */
  readonly address: bigint
  readonly access: 'read' | 'write'
  /** Further fields of the record, by the names of its layout. */
  readonly fields: Readonly<Record<string, number | bigint>>
}

/** What a board's fault reader works on. `memory` is RAM as a driver sees it. */
export interface FaultSource {
  readonly registers: Registers
  readonly memory: Memory
}

export interface Board {
  /** "vtd-legacy" */
  readonly name: string
  readonly emulator: Emulator
  /** Arguments that make the platform and its IOMMU. The IOMMU comes before every device. */
  arguments(facts: BoardFacts, folder: string): readonly string[]
  /** Why this QEMU cannot be this board; undefined where it can. */
  lacks(facts: BoardFacts): string | undefined
  readonly ramBytes: bigint
  readonly ram: readonly RamRange[]
  /** Physical addresses of the IOMMU's register window. */
  readonly registers: bigint
  /** Requester id of the PCI function that the IOMMU is, where its registers have to be put there. */
  readonly registersOf?: number
  readonly config: ConfigSpace
  /** Where devices' registers are put; DEVICE_WINDOW each. DMA to these addresses is not possible. */
  readonly windows: bigint
  /** Bounds of the region that is full of landmarks, and of the frames that tables are made of. */
  readonly data: { readonly start: bigint; readonly end: bigint }
  readonly tables: { readonly start: bigint; readonly end: bigint }
  /** log2 of the sizes that pages have: at which offset of a frame that tables name a DMA may land. */
  readonly pageShifts: readonly number[]
  /** Bit of a page table entry at which its page number begins; 12 where absent. */
  readonly pageNumberBit?: number
  /** Takes everything that has been recorded, oldest first; nothing while software has set no log up. */
  readFaults(source: FaultSource): readonly RecordedFault[]
  /** How the IOMMU itself is asked where a request with a PASID goes, since no device sends any; undefined where it cannot be asked. */
  pasids?(facts: BoardFacts): PasidQuestions | undefined
}

/** An IOMMU that tells by registers what it would make of a request. */
export interface PasidQuestions {
  /** Width of the PASIDs that it has. */
  readonly bits: number
  /** The physical address; undefined where the request is refused, which is then recorded as for a DMA. */
  translate(registers: Registers, request: DmaRequest): bigint | undefined
}

/** What is known of an installation when a board is chosen. */
export interface BoardFacts {
  readonly installation: Installation
  /** The properties that QEMU lists for a device (`-device NAME,help`). */
  properties(device: string): ReadonlySet<string>
  /** Whether `-accel qtest` works. */
  readonly qtestAccelerator: boolean
}
