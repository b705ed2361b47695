// Changes of entries as Linux's entry writer makes them (fixtures/README.md).
import { fixture } from '../../../tools/driver-tests/layouts.js'

export type Recorded = readonly [id: number, kind: 'ste' | 'cd', from: number, to: number, cleared: 0 | 1, steps: string, what: string]

const { entries, records } = fixture<{ readonly entries: readonly string[]; readonly records: readonly Recorded[] }>(import.meta.url, 'linux-transitions')
export { records }

/** The words of an entry that a record names by its index. */
export const wordsOf = (index: number): bigint[] => {
  const words = (entries[index] as string).split(' ').map((word) => BigInt(`0x${word}`))
  return [...words, ...Array.from({ length: 8 - words.length }, () => 0n)]
}
