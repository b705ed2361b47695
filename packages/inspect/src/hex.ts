// Words as people paste them: 0x or not, underscores, low word first with spaces, high word first with colons or in a
// row of debugfs's device table.
import { wordCount } from '@iommu/bits'
import type { Entry } from '@iommu/bits'
import { InputError, quoted } from './input-error.js'

export interface ReadWords {
  /** As many as the entry has, word 0 first. */
  readonly words: readonly bigint[]
  /** How many of them were given; the others are zero. */
  readonly given: number
  /** How they were taken: spaces mean word 0 first, colons the opposite. One word alone has no order. */
  readonly order: 'low first' | 'high first' | 'single'
  /** From what the order was inferred, where neither colons nor the caller say it. */
  readonly inferred?: string
}

const refuse = (place: string, expected: string, found: string): never => {
  throw new InputError({ file: 'the words', place, expected, found })
}

const readWord = (text: string, position: number, bits: number): bigint => {
  const digits = text.replace(/^0x/i, '').replaceAll('_', '')
  if (!/^[0-9a-f]+$/i.test(digits)) return refuse(`word ${position}`, 'hexadecimal digits', quoted(text))
  const value = BigInt(`0x${digits}`)
  return value >> BigInt(bits) === 0n ? value : refuse(`word ${position}`, `at most ${bits} bits`, quoted(text))
}

/** Queues of 256-bit descriptors carry those of 128 bits with two zero words behind them. */
const paddedDescriptor = ({ name }: Entry, words: readonly bigint[]): boolean =>
  name.startsWith('vtd.qi.') && words.length === 4 && words[2] === 0n && words[3] === 0n

const BDF = /^(?:[0-9a-f]{4,8}:)?[0-9a-f]{2}:[0-9a-f]{2}\.[0-7]$/i
const HEADER = /^(?:DeviceId|QWORD\[\d\]|iommu)$/i

interface Written {
  readonly tokens: readonly string[]
  readonly inferred?: string
}

/** Takes the words out of a row of AMD's device table in debugfs: a header perhaps, a device, high words first, the unit. */
const tableRow = (tokens: readonly string[]): Written => {
  const header = tokens.findIndex((token) => !HEADER.test(token))
  const body = header < 0 ? [] : tokens.slice(header)
  const [first = ''] = body
  if (header <= 0 && !BDF.test(first)) return { tokens }
  const words = (BDF.test(first) ? body.slice(1) : body).filter((token) => !/^iommu\d{1,3}$/i.test(token))
  return { tokens: words, inferred: 'taken as a row of debugfs\'s device table, which has the high word first' }
}

/**
 * The words of an entry. Fewer than it has are the lowest ones. `highFirst`: they are written so, whatever is between
 * them. Throws InputError naming the word, counted from 1 as it was written.
 */
export const readWords = (owner: Entry, texts: readonly string[], highFirst = false): ReadWords => {
  const { tokens, inferred } = tableRow(texts.join(' ').split(/[\s,;|]+/).filter((token) => token !== ''))
  const count = wordCount(owner)
  if (tokens.length === 0) return refuse('word 1', `up to ${count} words of ${owner.name}`, 'none')
  const colons = tokens.some((token) => token.includes(':'))
  if (colons && tokens.length > 1) {
    return refuse('their order', 'spaces (low word first) or colons (high word first)', 'both')
  }
  const written = colons ? (tokens[0] as string).split(':') : tokens
  const read = written.map((text, index) => readWord(text, index + 1, owner.wordBits))
  const reversed = colons || highFirst || inferred !== undefined
  const words = reversed ? read.reverse() : read
  const fitting = paddedDescriptor(owner, words) ? words.slice(0, 2) : words
  if (fitting.length > count) {
    return refuse(
      `word ${count + 1}`,
      `at most ${count} words of ${owner.wordBits} bits in ${owner.name}`,
      `${fitting.length} words`,
    )
  }
  return {
    words: Array.from({ length: count }, (_, index) => fitting[index] ?? 0n),
    given: fitting.length,
    order: written.length === 1 ? 'single' : reversed ? 'high first' : 'low first',
    ...(inferred === undefined ? {} : { inferred }),
  }
}
