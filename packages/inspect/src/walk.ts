// Walk: one DMA through the recorded tables, entry by entry, to an address or to the reason why it stops.
import type { Step } from '@iommu/hardware'
import type { Capture } from './capture.js'
import { hex, hexWord } from './spell.js'
import { unitOf } from './unit.js'
import type { WalkQuestion } from './vendor.js'

export interface WalkedStep {
  readonly entry: string
  readonly address: string | null
  readonly words: readonly string[]
  readonly note: string
}

/** One element of `iommu.walk/1`. */
export interface WalkResult {
  readonly iova: string
  readonly access: 'read' | 'write'
  readonly outcome: 'translated' | 'blocked'
  readonly address?: string
  readonly permissions?: { readonly read: boolean; readonly write: boolean }
  readonly pageSize?: string
  /** Entries of page tables that were read; 0: there is no page table, and the page size is just the smallest. */
  readonly pageEntries: number
  /** Under which tag hardware caches the translation: "domain 5". */
  readonly tag?: string
  readonly fault?: {
    readonly code: number
    readonly name: string
    /** In our words, where the name does not say it. */
    readonly meaning?: string
    readonly recorded: boolean
    readonly note?: string
  }
  /** What the answer rests on, where that is not the tables alone. */
  readonly caution?: string
  readonly steps: readonly WalkedStep[]
}

const stepOf = ({ entry, address, words, note }: Step): WalkedStep =>
  ({ entry, address: address === undefined ? null : hex(address), words: words.map(hexWord), note })

/**
 * What becomes of one DMA. Throws InputError where a page is needed that was not recorded; whether a requester id is
 * one of the capture's devices is the caller's business.
 */
export const walkCapture = (capture: Capture, question: WalkQuestion): WalkResult => {
  const { outcome, caution, seenAs, steps } = unitOf(capture).walk(question)
  const { iova, access } = question
  const { pageEntries } = capture.vendor
  const about = {
    iova: hex(iova), access, ...(caution === undefined ? {} : { caution }), steps: steps.map(stepOf),
    pageEntries: steps.filter(({ entry }) => pageEntries.includes(entry)).length,
  }
  if (outcome.result === 'blocked') {
    const { fault } = outcome
    if (fault === undefined) return { ...about, outcome: 'blocked' }
    const { meaning } = capture.vendor.explainCode(fault.code)
    return {
      ...about, outcome: 'blocked',
      fault: {
        ...fault, ...(meaning === undefined || meaning === fault.name ? {} : { meaning }), ...(seenAs === undefined ? {} : { note: seenAs }),
      },
    }
  }
  const { address, permissions, pageSize, tag } = outcome
  return { ...about, outcome: 'translated', address: hex(address), permissions, pageSize: hex(pageSize), tag }
}
