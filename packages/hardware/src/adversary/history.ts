// The history of memory: which values of each word hardware may still see, and since when.
import { FRAME_BYTES } from '../address.js'
import * as addresses from '../address.js'
import type { HardwareEvent } from '../events.js'
import type { HardwareView } from '../memory.js'
import type { Time } from './vendor.js'

/**
 * When a store is seen. `prompt`: at once (x86, a walker that snoops); `order`: at the driver's next `order()` at
 * the latest; `write-back`: when its line has been written back at the latest (a walker that does not snoop).
 */
export type Stores = 'prompt' | 'order' | 'write-back'

/** A value of an atom. It may be read at moments t with from <= t < to; the CPU's own view left it at `superseded`. */
export interface Version {
  readonly values: readonly bigint[]
  readonly from: Time
  readonly superseded: Time
  readonly to: Time
}

interface WordVersion {
  readonly value: bigint
  readonly from: Time
  superseded: Time
  to: Time
}

interface Word {
  versions: WordVersion[]
  stamp: number
}

/** Memory as this mode watches it. */
export interface WatchedMemory {
  load64(address: bigint): bigint
  readonly walker: HardwareView
}

export interface History {
  readonly stores: Stores
  readonly now: Time
  /** Rises with every change of what can be read. */
  readonly stamp: number
  tick(): void
  /** Takes note of an event; the words (address / 8) of which more or fewer values can be read now. */
  record(event: HardwareEvent): readonly number[]
  /** All stores made so far are seen. */
  settle(): readonly number[]
  /** Values of an atom, oldest first, each with its times. At least one is current. */
  versions(address: bigint, bytes: number): readonly Version[]
  /** The distinct values of a word that a read now may answer. */
  readable(address: bigint): readonly bigint[]
  /** The last value stored. */
  latest(address: bigint): bigint
  isMemory(frame: number): boolean
  /** Whether any of the words has changed since a stamp. */
  changed(words: Iterable<number>, since: number): boolean
  /** Nobody will ask for values that were gone by then. */
  forget(before: Time): void
}

const FRAME_WORDS = FRAME_BYTES / 8
const LINE_WORDS = 8
/** Lists of versions are pruned when they are longer. */
const PRUNED = 4

export const wordOf = (address: bigint): number => {
  addresses.split(address)
  return (addresses.high >>> 0) * 0x2000_0000 + (addresses.low >>> 3)
}
const addressOf = (word: number): bigint => BigInt(word) * 8n

export const createHistory = (memory: WatchedMemory, stores: Stores): History => {
  const words = new Map<number, Word>()
  let late: { readonly word: number; readonly version: WordVersion }[] = []
  let floor: Time = -1

  /** A store of a value that is there already is no step (rule 2). */
  const put = (word: number, before: bigint, after: bigint): boolean => {
    if (before === after) return false
    let known = words.get(word)
    if (known === undefined) {
      known = { versions: [{ value: before, from: -1, superseded: Infinity, to: Infinity }], stamp: 0 }
      words.set(word, known)
    }
    const old = known.versions[known.versions.length - 1] as WordVersion
    if (old.value === after) return false
    old.superseded = history.now
    if (stores === 'prompt') old.to = history.now
    else late.push({ word, version: old })
    if (known.versions.length > PRUNED) known.versions = known.versions.filter(({ to }) => to > floor)
    known.versions.push({ value: after, from: history.now, superseded: Infinity, to: Infinity })
    known.stamp = ++history.stamp
    return true
  }
  const latest = (address: bigint): bigint => {
    const known = words.get(wordOf(address))
    return known === undefined ? memory.walker.load64(address) : (known.versions[known.versions.length - 1] as WordVersion).value
  }
  /** Rule 3: what was superseded before is seen no longer. */
  const settleWhere = (covers: (word: number) => boolean): number[] => {
    const settled: number[] = []
    late = late.filter(({ word, version }) => {
      if (!covers(word)) return true
      version.to = history.now
      const known = words.get(word) as Word
      known.stamp = ++history.stamp
      settled.push(word)
      return false
    })
    return settled
  }
  const zero = (frame: number, count: number): number[] => {
    const changed: number[] = []
    for (let word = frame * FRAME_WORDS; word < (frame + count) * FRAME_WORDS; word++) {
      const known = words.get(word)
      if (known !== undefined && put(word, latest(addressOf(word)), 0n)) changed.push(word)
    }
    return changed
  }
  const lineOf = (word: number): number => Math.floor(word / LINE_WORDS)

  // Plain members: an object with a getter in its literal has a hidden class of its own, and is slow wherever there are several.
  const history: { -readonly [Member in keyof History]: History[Member] } = {
    stores,
    now: 0,
    stamp: 0,
    tick() { history.now++ },
    record(event) {
      switch (event.kind) {
        case 'store': {
          const word = wordOf(event.address)
          if (event.bytes === 4) {
            const shift = (event.address & 4n) * 8n
            const after = memory.load64(event.address & ~7n)
            const before = (after & ~(0xffff_ffffn << shift)) | ((event.before[0] as bigint) << shift)
            return put(word, before, after) ? [word] : []
          }
          return event.after.flatMap((after, index) => (put(word + index, event.before[index] as bigint, after) ? [word + index] : []))
        }
        case 'order': return stores === 'order' ? settleWhere(() => true) : []
        case 'write-back': {
          if (stores !== 'write-back') return []
          const first = lineOf(wordOf(event.address))
          const last = lineOf(wordOf(event.address + BigInt(event.bytes - 1)))
          return settleWhere((word) => lineOf(word) >= first && lineOf(word) <= last)
        }
        // Pages come zeroed, without a store that anybody sees.
        case 'allocate': return zero(event.frame, event.count)
        default: return []
      }
    },
    settle: () => settleWhere(() => true),
    readable(address) {
      const known = words.get(wordOf(address))
      if (known === undefined) return [memory.walker.load64(address)]
      const { versions } = known
      const last = versions[versions.length - 1] as WordVersion
      if (versions.length === 1 || (versions[versions.length - 2] as WordVersion).to <= history.now) return [last.value]
      return [...new Set(versions.filter(({ to }) => to > history.now).map(({ value }) => value))]
    },
    versions(address, bytes) {
      const first = wordOf(address)
      if (bytes === 8) {
        const known = words.get(first)
        if (known === undefined) return [{ values: [memory.walker.load64(address)], from: -1, superseded: Infinity, to: Infinity }]
        return known.versions.map(({ value, from, superseded, to }) => ({ values: [value], from, superseded, to }))
      }
      const parts = Array.from({ length: bytes / 8 }, (_, index): readonly WordVersion[] =>
        words.get(first + index)?.versions
        ?? [{ value: memory.walker.load64(address + BigInt(index * 8)), from: -1, superseded: Infinity, to: Infinity }])
      const times = [...new Set(parts.flatMap((part) => part.map(({ from }) => from)))].sort((a, b) => a - b)
      return times.flatMap((from, index): Version[] => {
        const here = parts.map((part) => part.findLast((each) => each.from <= from))
        // Pruned: older than anybody asks for.
        if (here.some((each) => each === undefined)) return []
        const next = times[index + 1] ?? Infinity
        const ending = (here as WordVersion[]).filter(({ superseded }) => superseded === next)
        return [{
          values: (here as WordVersion[]).map(({ value }) => value),
          from,
          superseded: next,
          to: ending.length === 0 ? Infinity : Math.max(...ending.map(({ to }) => to)),
        }]
      })
    },
    latest,
    isMemory: (frame) => memory.walker.has(frame),
    changed(asked, since) {
      for (const word of asked) if ((words.get(word)?.stamp ?? 0) > since) return true
      return false
    },
    forget(before) { floor = before },
  }
  return history
}
