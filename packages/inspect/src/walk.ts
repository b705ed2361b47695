// Walk: one DMA through the recorded tables, entry by entry, to an address, to the reason why it stops, or to where nothing is known.
import { frameOf } from '@iommu/hardware'
import type { Step } from '@iommu/hardware'
import type { Capture, MadeUp } from './capture.js'
import { InputError, MissingMemoryError } from './input-error.js'
import { hex, hexWord } from './spell.js'
import { unitOf } from './unit.js'
import type { Walked, WalkQuestion, Way } from './vendor.js'

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
  /** `unknown`: `steps` end where the source lacks memory, or where this version does not walk on. */
  readonly outcome: 'translated' | 'blocked' | 'unknown'
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
  /** Why the answer is unknown. */
  readonly unknown?: {
    /** The first physical address that the source lacks. Absent: memory is not what is missing. */
    readonly missing?: string
    readonly why: string
  }
  /** What the answer rests on, where that is not the tables alone. */
  readonly caution?: string
  readonly steps: readonly WalkedStep[]
}

/** A table that the source does not show has no place or no words to be told. */
const stepOf = ({ entry, address, words, note }: Step, madeUp: MadeUp | undefined): WalkedStep => {
  const frame = address === undefined ? undefined : frameOf(address)
  const has = (frames: ReadonlySet<number> | undefined): boolean => frame !== undefined && frames?.has(frame) === true
  return {
    entry,
    address: address === undefined || has(madeUp?.places) ? null : hex(address),
    words: has(madeUp?.words) ? [] : words.map(hexWord),
    note: has(madeUp?.words) ? `${note.replace(/ at 0x[0-9a-f]+/, '')} (not shown by the source)` : note,
  }
}

/** Where a walk stops at a table that the source does not show, the code is that of the first table that could be absent. */
const UNSHOWN = 'the source does not show this table: the entry behind it may be the absent one'

const walkedOrNot = (capture: Capture, question: WalkQuestion, way: Way): Walked | InputError => {
  const unit = unitOf(capture)
  try {
    return unit.walk(question, way)
  } catch (error) {
    if (error instanceof InputError) return error
    throw error
  }
}

const unknownOf = (error: InputError): Pick<WalkResult, 'outcome' | 'unknown'> => ({
  outcome: 'unknown',
  unknown: { ...(error instanceof MissingMemoryError ? { missing: hex(error.address) } : {}), why: error.message },
})

/**
 * What becomes of one DMA. Throws InputError where a register is missing; whether a requester id is one of the capture's devices
 * is the caller's business.
 */
export const walkCapture = (capture: Capture, question: WalkQuestion): WalkResult => {
  const way: Way = { steps: [] }
  const walked = walkedOrNot(capture, question, way)
  const { steps, caution } = way
  const { iova, access } = question
  const { pageEntries } = capture.vendor
  const about = {
    iova: hex(iova), access, ...(caution === undefined ? {} : { caution }), steps: steps.map((step) => stepOf(step, capture.madeUp)),
    pageEntries: steps.filter(({ entry }) => pageEntries.includes(entry)).length,
  }
  if (walked instanceof InputError) return { ...about, ...unknownOf(walked) }
  const { outcome, seenAs } = walked
  if (outcome.result === 'blocked') {
    const { fault } = outcome
    if (fault === undefined) return { ...about, outcome: 'blocked' }
    const { meaning } = capture.vendor.explainCode(fault.code)
    const last = steps[steps.length - 1]?.address
    const note = last !== undefined && capture.madeUp?.words.has(frameOf(last)) === true ? UNSHOWN : seenAs
    return {
      ...about, outcome: 'blocked',
      fault: {
        ...fault, ...(meaning === undefined || meaning === fault.name ? {} : { meaning }), ...(note === undefined ? {} : { note }),
      },
    }
  }
  const { address, permissions, pageSize, tag } = outcome
  return { ...about, outcome: 'translated', address: hex(address), permissions, pageSize: hex(pageSize), tag }
}
