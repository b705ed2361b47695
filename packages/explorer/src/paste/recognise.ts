// What a pasted text is: words of an entry, printed tables, or lines and names to explain. Reads as the command does.
import { describe, wordCount } from '@iommu/bits'
import type { Entry } from '@iommu/bits'
import { explain, findEntry, InputError, isPrinted, listEntries, lookUpEntries, readPrinted, readWords, withDevicesOfTables } from '@iommu/inspect'
import type { Capture, Explanation, ReadWords } from '@iommu/inspect'

export interface EntryReading {
  readonly kind: 'entry'
  readonly owner: Entry
  readonly read: ReadWords
  /** Whether the text or the reader named the entry; otherwise it is the best fit of `fitting`. */
  readonly named: boolean
  /** Whether they could have been meant as decimal numbers; they were read as hexadecimal. */
  readonly perhapsDecimal: boolean
  /** Entries that the words fit, best first. */
  readonly fitting: readonly Entry[]
}

export type Reading =
  | { readonly kind: 'nothing' }
  | EntryReading
  | { readonly kind: 'capture'; readonly capture: Capture }
  | { readonly kind: 'explanation'; readonly explanation: Explanation }

const COMMAND = /^\s*(?:\$\s*)?iommu\s+(?:decode|explain)\s+/
const WORD = /^(?:0x)?[0-9a-f_]{1,16}$/i
/** Kernels print whole words with all their 16 digits. */
const DECIMAL = /^(?:0|[1-9]\d{0,14})$/
/** Words of a row of debugfs's device table that are no words of an entry. */
const BESIDE = /^(?:(?:[0-9a-f]{4,8}:)?[0-9a-f]{2}:[0-9a-f]{2}\.[0-7]|DeviceId|QWORD\[\d\]|iommu\d{0,3})$/i

const tokensOf = (text: string): string[] => text.split(/[\s,;|]+/).filter((each) => each !== '')

const wordsIn = (text: string): string[] => tokensOf(text).filter((each) => !BESIDE.test(each)).flatMap((each) => each.split(':'))

/** A code of two digits is for explaining, and so is a short word without 0x, unless the reader says of which entry it is. */
const looksLikeWords = (text: string, chosen = false): boolean => {
  const words = wordsIn(text)
  if (words.length === 0 || !words.every((each) => WORD.test(each))) return false
  return chosen || words.length > 1 || /^0x[0-9a-f_]{3,}$/i.test(words[0] as string) || (words[0] as string).length >= 8
}

/** How badly words fit an entry; the best fit is least. Undefined: not at all. */
const misfit = (owner: Entry, text: string): number | undefined => {
  try {
    const read = readWords(owner, [text])
    const { rows, reserved } = describe(owner, read.words)
    const table = read.inferred !== undefined && owner.name !== 'amd.dte'
    // Intel's debugfs prints three words of a PASID entry, and both of root and context entries, high word first.
    const intel = read.order === 'high first' && read.inferred === undefined && !owner.name.startsWith('vtd.')
    const queue = /\.(?:qi|cmd|event|ppr)\b|\.frcd|\.prq/.test(owner.name)
    const shape = read.given === 3 && owner.name === 'vtd.pasid' ? 0 : Math.abs(wordCount(owner) - read.given)
    return reserved.length * 10 + rows.filter(({ unknown }) => unknown).length * 4 + shape + (table ? 100 : 0) + (intel ? 5 : 0)
      + (queue ? 3 : 0) + (rows[0]?.value === 0 ? 2 : 0)
  } catch {
    return undefined
  }
}

/** @throws InputError for more words than any entry has: what is pasted may be a megabyte of them */
const fittingEntries = async (text: string): Promise<Entry[]> => {
  const all = await listEntries()
  const [most, given] = [Math.max(...all.map(wordCount)), wordsIn(text).length]
  if (given > most) throw new InputError({ file: 'the words', place: `word ${most + 1}`, expected: `at most ${most} words, of one entry`, found: `${given} words` })
  return all
    .flatMap((owner) => {
      const found = misfit(owner, text)
      return found === undefined ? [] : [{ owner, found }]
    })
    .sort((one, other) => one.found - other.found)
    .map(({ owner }) => owner)
}

/** "vtd.pasid 0x89 0x5": the entry's name, and its words. */
const namedWords = async (text: string): Promise<{ readonly owner: Entry; readonly words: string } | undefined> => {
  const [, name = '', words = ''] = /^\s*([a-z][\w.-]*)\s+([\s\S]+)$/i.exec(text) ?? []
  if (!looksLikeWords(words) || WORD.test(name)) return undefined
  const [owner, ...more] = await lookUpEntries(name)
  return owner === undefined || more.length > 0 ? undefined : { owner, words }
}

/**
 * @param as the name of an entry, where the reader chose one
 * @throws InputError for what is neither
 */
export const recognise = async (pasted: string, as?: string): Promise<Reading> => {
  const text = pasted.replace(COMMAND, '').replace(/^(['"])([\s\S]*)\1\s*$/, '$2')
  if (text.trim() === '') return { kind: 'nothing' }
  if (isPrinted(text)) return { kind: 'capture', capture: withDevicesOfTables(await readPrinted(text, 'the text')) }
  const named = await namedWords(text)
  const chosen = as !== undefined && as !== ''
  if (named !== undefined || looksLikeWords(text, chosen)) {
    const words = named?.words ?? text
    const fitting = await fittingEntries(words)
    const owner = chosen ? await findEntry(as) : named?.owner ?? fitting[0]
    if (owner !== undefined) {
      return { kind: 'entry', owner, read: readWords(owner, [words]), named: chosen || named !== undefined, perhapsDecimal: wordsIn(words).every((each) => DECIMAL.test(each)), fitting }
    }
  }
  return { kind: 'explanation', explanation: await explain(text) }
}
