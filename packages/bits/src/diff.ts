// Diff: what changed between two versions of an entry.
import type { Entry } from './entry.js'
import { decode } from './decode.js'
import { join, maskOf, takeRun } from './words.js'
import type { Words } from './words.js'

/** One change. Bits outside of fields are named "reserved" or "ignored" with their range. */
export interface Change {
  readonly name: string
  readonly before: number | bigint
  readonly after: number | bigint
}

/** The fields that differ, in order of declaration, then reserved and ignored ranges that differ. */
export const diff = (owner: Entry, before: Words, after: Words): Change[] => {
  const old = decode(owner, before)
  const now = decode(owner, after)
  const fields = Object.keys(owner.fields)
    .filter((name) => old[name] !== now[name])
    .map((name) => ({ name, before: old[name] as number | bigint, after: now[name] as number | bigint }))
  const [a, b] = [join(owner, before), join(owner, after)]
  const ranges = ([['reserved', owner.reserved], ['ignored', owner.ignored]] as const).flatMap(([what, runs]) =>
    runs
      .filter((run) => ((a ^ b) & maskOf([run])) !== 0n)
      .map((run) => ({ name: `${what} ${run[0]}:${run[1]}`, before: takeRun(a, run), after: takeRun(b, run) })))
  return [...fields, ...ranges]
}
