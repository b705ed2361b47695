// What kernels with debugging print below a fault: the entries that they themselves found on the way to the address.
import { decodeField, describe, renderLine, wordCount } from '@iommu/bits'
import type { Entry } from '@iommu/bits'
import * as tables from '@iommu/driver-intel-vtd/tables'
import { firstStageEntry, secondStageEntry } from '@iommu/page-table'

/** One line of it. */
export type DumpLine =
  | { readonly what: 'begin'; readonly address: bigint }
  | { readonly what: 'root' | 'directory'; readonly word: bigint }
  | { readonly what: 'scalable-root' | 'context'; readonly low: bigint; readonly high: bigint }
  | { readonly what: 'pasid'; readonly index: number; readonly word: bigint }
  | { readonly what: 'page'; readonly level: number; readonly word: bigint }
  | { readonly what: 'absent'; readonly level: number }

const WORD = '(?:0x)?([0-9a-f]{1,16})'
const PATTERNS: readonly (readonly [RegExp, (...found: readonly string[]) => DumpLine])[] = [
  [new RegExp(`Dump dmar\\d{1,4} table entries for IOVA ${WORD}`, 'i'), (address) => ({ what: 'begin', address: BigInt(`0x${address}`) })],
  [new RegExp(`scalable mode root entry: hi ${WORD}, low ${WORD}`, 'i'), (high, low) => ({ what: 'scalable-root', ...pair(high, low) })],
  [new RegExp(`root entry: ${WORD}`, 'i'), (word) => ({ what: 'root', word: BigInt(`0x${word}`) })],
  [new RegExp(`context entry: hi ${WORD}, low ${WORD}`, 'i'), (high, low) => ({ what: 'context', ...pair(high, low) })],
  [new RegExp(`pasid dir entry: ${WORD}`, 'i'), (word) => ({ what: 'directory', word: BigInt(`0x${word}`) })],
  [new RegExp(`pasid table entry\\[([0-7])\\]: ${WORD}`, 'i'), (index, word) => ({ what: 'pasid', index: Number(index), word: BigInt(`0x${word}`) })],
  [new RegExp(`pte level: (\\d), pte value: ${WORD}`, 'i'), (level, word) => ({ what: 'page', level: Number(level), word: BigInt(`0x${word}`) })],
  [/page table not present at level (\d)/i, (level) => ({ what: 'absent', level: Number(level) })],
]

const pair = (high: string | undefined, low: string | undefined): { readonly low: bigint; readonly high: bigint } =>
  ({ low: BigInt(`0x${low}`), high: BigInt(`0x${high}`) })

/** Undefined for every other line. */
export const readDumpLine = (line: string): DumpLine | undefined => {
  for (const [pattern, read] of PATTERNS) {
    const match = pattern.exec(line)
    if (match !== null) return read(...match.slice(1))
  }
  return undefined
}

/** Words that were not printed are zero. */
const filled = (layout: Entry, words: readonly bigint[]): bigint[] =>
  Array.from({ length: wordCount(layout) }, (_, index) => words[index] ?? 0n)

/** An entry's fields that are not zero, on one line. */
const said = (layout: Entry, words: readonly bigint[]): string => {
  const { rows, ...description } = describe(layout, filled(layout, words))
  const set = renderLine({ ...description, rows: rows.filter(({ value }) => Number(value) !== 0) })
  return `${layout.title.toLowerCase()} ${set === '' ? 'all zero' : set}`
}

/** What the lines of a dump say, one text for each entry. */
export const dumpSaid = (lines: readonly DumpLine[]): string[] => {
  const pasid = lines.flatMap((line) => (line.what === 'pasid' ? [line.word] : []))
  const isScalable = lines.some(({ what }) => what === 'scalable-root')
  const { [decodeField(tables.pasidEntry, filled(tables.pasidEntry, pasid), 'PGTT')]: type } = tables.pasidEntry.fields.PGTT.meanings ?? {}
  const pages = type === tables.GRANULAR_TYPES[1] ? firstStageEntry : secondStageEntry
  const texts = lines.flatMap((line): string[] => {
    switch (line.what) {
      case 'begin': case 'pasid': return []
      case 'root': return [said(tables.rootEntry, [line.word])]
      case 'scalable-root': return [said(tables.scalableRootEntry, [line.low, line.high])]
      case 'context': return [said(isScalable ? tables.scalableContextEntry : tables.contextEntry, [line.low, line.high])]
      case 'directory': return [said(tables.pasidDirectoryEntry, [line.word]), ...(pasid.length > 0 ? [said(tables.pasidEntry, pasid)] : [])]
      case 'page': return [line.word === 0n ? `level ${line.level} entry all zero` : `level ${line.level}: ${said(pages, [line.word])}`]
      case 'absent': return [`so there is no table of level ${line.level}`]
      default: return line satisfies never
    }
  })
  return texts.length === 0 ? [] : [`in the tables, as the kernel read them then: ${texts.join('; ')}`]
}

const PAGE = 4096n

/** Whether a dump that begins so belongs to a fault at an address: kernels print the same page's. */
export const beginsDumpOf = (line: DumpLine, address: string): boolean =>
  line.what === 'begin' && line.address / PAGE === BigInt(address) / PAGE
