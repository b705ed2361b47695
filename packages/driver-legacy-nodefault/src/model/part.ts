// A part: what is particular to one kind of hardware in a model. All else is machine.ts and translate.ts.
import type { DmaRequest, EventStream, Failures, Fault, PhysicalMemory, RegisterDevice, Step, TranslationCache } from '@iommu/hardware'
import type { Shape } from '../tables/shape.js'

/** A translation as the TLB keeps it. */
export interface Leaf {
  /** Physical address of the page. */
  readonly physical: bigint
  /** log2 of its bytes. */
  readonly shift: number
  readonly read: boolean
  readonly write: boolean
}

/** What becomes of a request before any page table is read. */
export type Route =
  | { readonly to: 'blocked'; readonly fault: Fault }
  | { readonly to: 'identity'; readonly why: string }
  /** One page or window that the registers or a window table say. */
  | { readonly to: 'page'; readonly leaf: Leaf; readonly tag: string; readonly denied: Fault }
  /** Page tables, under a tag of the TLB. */
  | {
    readonly to: 'tables'
    readonly shape: Shape
    readonly root: bigint
    readonly tag: number
    /** The tag for people: "ASID 3". */
    readonly named: string
    /** What stands above the root grants. */
    readonly read: boolean
    readonly write: boolean
    readonly absent: Fault
    readonly denied: Fault
    readonly invalid: Fault
  }

/** Told of what a walk reads, for people. */
export type Note = (step: Step) => void

/** One kind of hardware. */
export interface Part {
  /** Width of the bus in bits: requests with wider addresses cannot be made. */
  readonly busBits: number
  readonly registers?: RegisterDevice
  call?(operation: string, args: readonly bigint[]): bigint
  /** Reads registers and window tables; never page tables. */
  route(request: DmaRequest, note: Note): Route
  /** A request was blocked: fault registers. */
  record?(request: DmaRequest, fault: Fault): void
}

/** Lines of page tables that hardware keeps before it translates (tegra-smmu's PTC). */
export interface LineCache {
  /** Bytes of a line. */
  readonly bytes: number
  get(line: bigint): readonly bigint[] | undefined
  keep(line: bigint, words: readonly bigint[]): void
  /** Drops the line that holds the address, or all. */
  drop(address?: bigint): void
}

export const createLineCache = (bytes: number): LineCache => {
  const lines = new Map<bigint, readonly bigint[]>()
  return {
    bytes,
    get: (line) => lines.get(line),
    keep: (line, words) => void lines.set(line, words),
    drop(address) {
      if (address === undefined) lines.clear()
      else lines.delete(address & ~BigInt(bytes - 1))
    },
  }
}

/** What the parts of a model share. */
export interface Inside {
  readonly memory: PhysicalMemory
  readonly translations: TranslationCache<Leaf>
  readonly failures: Failures
  readonly events: EventStream
}

/** Where a part has kept lines of its tables, and whether absent pages are kept too. */
export interface Keeping {
  readonly lines?: LineCache
  /** Pages that were found absent stay absent until a flush names them. */
  readonly absent: boolean
}

/** A fault, recorded unless it is said not to be. */
export const fault = (code: number, name: string, recorded = true): Fault => ({ code, name, recorded })
