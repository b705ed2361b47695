// Explained: what is said of one fault line, code, field or entry.
import type { Run } from '@iommu/bits'

/** A flag of a report, by the layout that it comes from. */
export interface ExplainedFlag {
  readonly name: string
  readonly value: number
  readonly title: string
}

/** One element of `iommu.explain/1`. */
export interface Explained {
  readonly kind: 'dma-fault' | 'interrupt-fault' | 'fault-status' | 'suppressed' | 'queue-error' | 'log-error'
    | 'other-vendor' | 'fault-code' | 'field' | 'entry' | 'statement'
  /** The first line of its kind, as it was given; several lines of one report are joined by spaces. */
  readonly input: string
  readonly count: number
  /** Reports that the kernel says it left out, all together: of which devices, and why, is not known. */
  readonly suppressed?: number
  readonly vendor?: string
  readonly device?: string
  readonly pasid?: number
  /** False: the report has no place for a PASID, so that there may have been one. */
  readonly pasidSaid?: false
  readonly address?: string
  readonly access?: 'read' | 'write'
  /** Index of an interrupt. */
  readonly index?: number
  readonly domainId?: number
  readonly code?: number
  readonly name?: string
  /** Absent: not known. */
  readonly meaning?: string
  readonly section?: string
  readonly confirmedBy?: readonly string[]
  /** Flags of the report that are decoded, and further facts that it gives, in words. */
  readonly flags?: readonly ExplainedFlag[]
  readonly details?: readonly string[]
  /** Which of two possible readings was taken. */
  readonly reading?: string
  /** What follows, what it usually turns out to be, and where to look next. */
  readonly so?: string
  readonly usual?: readonly string[]
  readonly next?: readonly string[]
  readonly bits?: readonly Run[]
  readonly values?: Readonly<Record<number, string>>
  readonly alias?: readonly string[]
  readonly fields?: readonly string[]
  /** Further lines, with their labels. */
  readonly about?: readonly (readonly [label: string, text: string])[]
}
