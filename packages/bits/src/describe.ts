// Describe: an entry's words as rows for people and for JSON. Every view is made from these rows.
import { decode } from './decode.js'
import { confirmation } from './entry.js'
import type { Entry } from './entry.js'
import type { FieldKind, Run, Source } from './field.js'
import { join, takeRun } from './words.js'
import type { Words } from './words.js'

/** One field with its value. */
export interface Row {
  readonly name: string
  readonly title: string
  readonly kind: FieldKind
  readonly runs: readonly Run[]
  /** Highest and lowest bit; the runs tell where a split field really lies. */
  readonly high: number
  readonly low: number
  readonly value: number | bigint
  /** What the value means, where the declaration names it; undefined for a value it does not name. */
  readonly meaning: string | undefined
  /** Whether the declaration names values and this is none of them. */
  readonly unknown: boolean
  readonly section: string
  readonly confirmedBy: readonly Source[]
}

/** A reserved range with a bit set. */
export interface ReservedRow {
  readonly high: number
  readonly low: number
  readonly value: bigint
}

export interface Description {
  readonly entry: Entry
  readonly words: Words
  /** From bit 0 up. */
  readonly rows: readonly Row[]
  /** Reserved ranges that are not zero. */
  readonly reserved: readonly ReservedRow[]
}

/** Throws RangeError where `words` does not fit the entry. */
export const describe = (owner: Entry, words: Words): Description => {
  const values = decode(owner, words)
  const whole = join(owner, words)
  const rows = Object.entries(owner.fields).map(([name, declared]): Row => {
    const value = values[name] as number | bigint
    const meaning = declared.meanings?.[Number(value)]
    return {
      name,
      title: declared.title,
      kind: declared.kind,
      runs: declared.runs,
      high: Math.max(...declared.runs.map(([high]) => high)),
      low: Math.min(...declared.runs.map(([, low]) => low)),
      value,
      meaning,
      unknown: declared.meanings !== undefined && meaning === undefined,
      section: declared.section ?? owner.section,
      confirmedBy: confirmation(owner, name),
    }
  })
  const reserved = owner.reserved
    .map((run) => ({ high: run[0], low: run[1], value: takeRun(whole, run) }))
    .filter(({ value }) => value !== 0n)
  return { entry: owner, words, rows: rows.sort((a, b) => a.low - b.low), reserved }
}
