// Text for terminals: colours by role, and lines that end before the edge.
import type { Paint, Role } from '@iommu/bits'
import type { Io } from './io.js'

const CODES: Readonly<Record<Role, string>> = {
  name: '1',
  set: '32',
  clear: '2',
  address: '36',
  wrong: '1;31',
  note: '2',
}
const ESCAPES = new RegExp(`${String.fromCharCode(27)}\\[[0-9;]*m`, 'g')

/** Colours by role where the terminal takes them, else leaves text alone. */
export const painter = ({ colour }: Pick<Io, 'colour'>): Paint =>
  colour ? (role, text) => `\u001b[${CODES[role]}m${text}\u001b[0m` : (_role, text) => text

/** How many columns a text takes. */
const widthOf = (text: string): number => [...text.replace(ESCAPES, '')].length

/** Breaks a line at spaces so that it fits; further lines begin with `hanging` spaces. A longer word stays whole. */
export const wrap = (line: string, columns: number, hanging: number): string[] => {
  if (widthOf(line) <= columns) return [line]
  const start = /^ */.exec(line)?.[0] ?? ''
  const lines: string[] = []
  let current = start
  let filled = false
  // Runs of spaces are columns: they stay with the word before them.
  for (const word of line.slice(start.length).match(/[^ ]+ */g) ?? []) {
    if (filled && widthOf(current + word.trimEnd()) > columns) {
      lines.push(current.trimEnd())
      current = ' '.repeat(hanging)
    }
    current += word
    filled = true
  }
  return [...lines, current.trimEnd()]
}

/** Wraps a table of "  place  NAME  value  words" below the words. */
export const wrapRow = (line: string, columns: number): string[] => {
  const plain = line.replace(ESCAPES, '')
  const head = /^\s+\S+\s+\S+\s+\S+\s+/.exec(plain)?.[0].length ?? 2
  // The mark and its word stay together.
  return wrap(line.replace('? unconfirmed', '?\u00a0unconfirmed'), columns, Math.min(head, Math.floor(columns / 2)))
    .map((each) => each.replace('\u00a0', ' '))
}
