// Fetches: one way in which hardware may piece an entry together, read lazily.
import type { Choose } from '../explore.js'
import { wordOf } from './history.js'
import type { History, Version } from './history.js'
import type { Fetch, Shape, Time } from './vendor.js'

/** When a fetch may take place: it begins at `since` or later, and has ended by `until`. */
export interface Span {
  readonly since: Time
  readonly until: Time
}

const LINE_BYTES = 64n

/** Equal values once, with the earliest moment: what can be read after it can be read after a later one as well. */
const distinct = (versions: readonly Version[]): Version[] => {
  const seen = new Map<string, Version>()
  for (const each of versions) {
    const key = each.values.join()
    if (!seen.has(key)) seen.set(key, each)
  }
  return [...seen.values()]
}

/** The moments of a snapshot: the beginning, and every later store to the entry. */
const moments = (history: History, address: bigint, { bytes }: Shape, { since, until }: Span): Time[] => {
  const froms = history.versions(address, bytes).map(({ from }) => from).filter((from) => from > since && from < until)
  return [since, ...froms]
}

/**
 * A fetch of one entry after another, the later ones found through the earlier (rule 5). `note` is told of every
 * word that was read, with its value. Branches on nothing but what is asked for.
 */
export const createFetch = (history: History, choose: Choose, span: Span, note: (word: number, value: bigint) => void): Fetch => {
  let seen = span.since
  return (address, shape) => {
    // A child is read after its parent: what it held before the parent pointed to it is in no copy.
    const begin = seen
    const perAtom = shape.atomBytes / 8
    const atoms = new Map<number, Version>()
    let present: Version | undefined
    let moment: Time | undefined

    const canRead = (each: Version, atom: number): boolean => {
      if (shape.order === 'snapshot') return each.from <= (moment as Time) && each.to > (moment as Time)
      if (each.from >= span.until || each.to <= begin) return false
      if (shape.order === 'free' || present === undefined) return true
      if (each.to <= present.from) return false
      // Written back as a whole: who sees P in a line of memory sees every store to that line before it.
      const sameLine = history.stores === 'write-back'
        && address / LINE_BYTES === (address + BigInt(atom * shape.atomBytes)) / LINE_BYTES
      return !sameLine || each.superseded > present.from
    }
    const take = (atom: number): Version => {
      const known = atoms.get(atom)
      if (known !== undefined) return known
      if (shape.order === 'present-first' && atom !== 0 && present === undefined) take(0)
      if (shape.order === 'snapshot' && moment === undefined) {
        const all = moments(history, address, shape, { since: begin, until: span.until })
        moment = all[choose(all.length)] as Time
      }
      const at = address + BigInt(atom * shape.atomBytes)
      const versions = distinct(history.versions(at, shape.atomBytes).filter((each) => canRead(each, atom)))
      const picked = versions[choose(versions.length)] as Version
      atoms.set(atom, picked)
      if (shape.order === 'present-first' && atom === 0) present = picked
      seen = Math.max(seen, picked.from, moment ?? seen)
      picked.values.forEach((value, index) => note(wordOf(at) + index, value))
      return picked
    }
    return (word) => take(Math.floor(word / perAtom)).values[word % perAtom] as bigint
  }
}
