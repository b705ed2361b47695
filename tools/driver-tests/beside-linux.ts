// A driver's plans beside those of Linux: rules that say where the two differ, and why that is right.

/** A difference in the words themselves. */
export interface WordRule<Change, Field extends string> {
  readonly id: string
  readonly field: Field
  holds(change: Change): boolean
  readonly says: string
}

/** A difference in the steps: what makes both sides the same where it holds. */
export interface StepRule<Change, Step> {
  readonly id: string
  /** Whether hardware can tell the two apart. */
  readonly seen: boolean
  rewrite(steps: readonly Step[], change: Change): readonly Step[]
  readonly says: string
}

/** What the records have and the driver has not, with the number of records. */
export type NotBuilt = Readonly<Record<string, { readonly records: number; readonly says: string }>>

/** What came of a record's steps: the rules that make both sides the same, and what stays different all the same, of both sides. */
export interface Beside {
  readonly id: number
  readonly rules: readonly string[]
  /** Whether hardware can tell the two apart. */
  readonly seen: boolean
  readonly unexplained: readonly unknown[]
}

/** How often each is named. */
export const uses = (lists: readonly (readonly string[])[]): Record<string, number> => {
  const counts: Record<string, number> = {}
  for (const id of lists.flat()) counts[id] = (counts[id] ?? 0) + 1
  return counts
}

/** Steps of which two neighbours have changed places. */
export const exchanged = <Step>(steps: readonly Step[], at: number): Step[] =>
  [...steps.slice(0, at), ...steps.slice(at, at + 2).reverse(), ...steps.slice(at + 2)]
