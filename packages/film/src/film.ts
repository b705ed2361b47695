// What a film is: plain data, all numbers as "0x..." strings, so that a page, a terminal and a file show the same.
import type { ChangedField } from '@iommu/inspect'

/** Where a domain is set. */
export interface FilmedPoint {
  readonly bdf: string
  readonly pasid?: number
}

/** A DMA that is tried after every step. */
export interface FilmedProbe extends FilmedPoint {
  readonly access: 'read' | 'write'
  readonly iova: string
  /** What tables in memory make of it before and after the change. */
  readonly before: Meeting
  readonly after: Meeting
}

/** One answer that a DMA may get. */
export interface Meeting {
  readonly result: 'translated' | 'blocked'
  readonly address?: string
  /** Under which tag hardware keeps the translation, and attributes of the path. */
  readonly tag?: string
  /** Why it is blocked, in the vendor's words. */
  readonly fault?: string
}

/** An answer beside those before and after: `both` where these are equal; `neither` is a mixture, a fault of the driver. */
export interface Met extends Meeting {
  readonly is: 'old' | 'new' | 'both' | 'blocked' | 'neither'
}

/** An entry on the path of a DMA. */
export interface PathStep {
  readonly entry: string
  /** Absent: a register. */
  readonly address?: string
  readonly words: readonly string[]
  readonly note: string
}

/** A store to tables. */
export interface FilmedStore {
  readonly address: string
  readonly before: readonly string[]
  readonly after: readonly string[]
  /** The entry that it is a part of, whole; absent where no DMA of the film comes by. */
  readonly entry?: { readonly name: string; readonly address: string; readonly before: readonly string[]; readonly after: readonly string[] }
}

/** At `end` DMA begins after the change; before, it may be under way. How commands are handed over is not shown. */
export type FrameKind = 'start' | 'end' | 'store' | 'command' | 'register' | 'order' | 'write-back' | 'allocate' | 'free' | 'config'

export interface Frame {
  readonly kind: FrameKind
  /** One line for people. */
  readonly text: string
  readonly store?: FilmedStore
  readonly command?: { readonly name: string; readonly words: readonly string[]; readonly text: string }
  /** Fields that the store changes. */
  readonly changed: readonly ChangedField[]
  /** For each probe, all that it could meet now. */
  readonly dma: readonly (readonly Met[])[]
  /** For each probe, where tables in memory lead it now. */
  readonly paths: readonly (readonly PathStep[])[]
  /** For each probe, where that path ends. */
  readonly ends: readonly Meeting[]
  /** Copies in caches that differ from memory now, one line each; only under adversarial mode. */
  readonly stale: readonly string[]
}

/** Something that the contract forbids, and the step after which it could be met. */
export interface FilmFinding {
  readonly sentence: 'during' | 'after' | 'free'
  readonly step: string
  readonly says: string
}

/** The `iommu.play/1` object. */
export interface Film {
  readonly schema: 'iommu.play/1'
  readonly driver: string
  readonly backend: string
  readonly point: FilmedPoint
  readonly from: string
  readonly to: string
  /** The error by which the driver refused; the frames are what it did before. */
  readonly refused?: { readonly code: string; readonly message: string }
  readonly probes: readonly FilmedProbe[]
  readonly frames: readonly Frame[]
  /** Whether every DMA met old, new or blocked throughout, and nothing old afterwards. Absent: nobody judged. */
  readonly held?: boolean
  readonly findings: readonly FilmFinding[]
  /** Whether a DMA that is translated before and after could be blocked in between. Absent: nobody judged. */
  readonly interrupted?: boolean
}
