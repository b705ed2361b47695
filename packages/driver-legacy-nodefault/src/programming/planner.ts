// The planner: what one kind of hardware gives to the driver. Pure: facts become steps.
import type { ErrorValues, Manifest } from '@iommu/core'
import type { Shape } from '../tables/shape.js'
import type { Step } from './steps.js'

/** Where a device's requests are sent. `id`: what hardware tags its caches with; `root`: of the tables. */
export type Aim =
  | { readonly at: 'blocked' }
  | { readonly at: 'identity' }
  | { readonly at: 'tables'; readonly id: number; readonly root: bigint }

export const BLOCKED: Aim = { at: 'blocked' }
export const IDENTITY: Aim = { at: 'identity' }

/** Pages of a domain that have changed, both ends inclusive. */
export interface ChangedPages {
  readonly id: number
  readonly root: bigint
  /** The streams that are aimed at it. */
  readonly streams: readonly number[]
  /** Absent: all pages. */
  readonly range?: { readonly start: bigint; readonly end: bigint }
  /** Addresses of the entries that say so, where the range is not too long to name them. */
  readonly entries: readonly bigint[]
  /** Whether tables were unhooked, and will be used for something else. */
  readonly tables: boolean
}

/** A fault as hardware recorded it. */
export interface RecordedFault {
  /** What the hardware names: a requester id, a context bank, an instance. Absent where it names nothing. */
  readonly source?: number
  readonly address: bigint
  /** Absent where hardware does not tell. */
  readonly access?: 'read' | 'write'
  /** What the code means, or undefined for a code that is not known. */
  readonly meaning: string | undefined
  readonly code: number
}

/** What takes over the hardware: where it stands, and memory that it needs for good. */
export interface Ground {
  /** Tables in which nothing is mapped, for hardware that blocks by them. */
  readonly empty: bigint
  /** Tables of this kind of hardware that are no page tables, such as PAMU's. */
  readonly fixed: bigint
}

/** Seen from the driver: registers as values. */
export interface Sight {
  read(offset: number): bigint
}

/** What one kind of hardware declares, and how it is told things. */
export interface Planner {
  readonly manifest: Manifest
  /** Page tables; absent where there are none. */
  readonly shape: Shape | undefined
  /** What of the shape's width is translated; all of it where absent. */
  readonly aperture?: { readonly start: bigint; readonly end: bigint }
  /** Ids that domains can have: from the first to below the last. */
  readonly ids: { readonly what: string; readonly first: number; readonly limit: number }
  /** What a stream shares its translation with: streams of equal names are one group. Absent: each is by itself. */
  groupOf?(stream: number): string | undefined
  /** Whether walks and table reads snoop the CPU's caches. */
  readonly coherent: boolean
  /** Bytes of memory for good: see `Ground`. */
  readonly fixedBytes: number
  /** Whether absent entries are kept, so that a map has to be flushed. */
  readonly keepsAbsent: boolean
  /** Requests of the device cannot come: the stream does not exist. Answers why, for ENODEV. */
  obstacle(stream: number): { readonly why: string; readonly values: ErrorValues } | undefined
  takeOver(ground: Ground): Step[]
  /** A domain gets the id: its tables are made known. */
  open(id: number, root: bigint, ground: Ground): Step[]
  /** No stream is aimed at the id any more: hardware forgets it. */
  close(id: number, root: bigint, ground: Ground): Step[]
  aim(stream: number, from: Aim, to: Aim, ground: Ground): Step[]
  flush(pages: ChangedPages): Step[]
  /** Reads what was recorded, and how it is cleared. */
  readFaults(sight: Sight, ground: Ground): { readonly faults: readonly RecordedFault[]; readonly clear: Step[] }
}
