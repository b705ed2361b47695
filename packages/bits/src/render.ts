// Render: a description as text, in three views. Colour is left to the caller.
import type { Description, Row } from './describe.js'
import type { Run } from './field.js'

/** What a piece of text stands for; a caller may colour by it. Colour never carries meaning alone. */
export type Role = 'name' | 'set' | 'clear' | 'address' | 'wrong' | 'note'
export type Paint = (role: Role, text: string) => string

const plain: Paint = (_role, text) => text

const hex = (value: number | bigint): string => `0x${value.toString(16)}`
const spell = ([high, low]: Run): string => (high === low ? `${low}` : `${high}:${low}`)
const place = (row: Row): string => row.runs.map(spell).join(',')

const role = (row: Row): Role => {
  if (row.unknown) return 'wrong'
  if (row.kind === 'address') return 'address'
  return row.value === 0 || row.value === 0n ? 'clear' : 'set'
}

const small = (row: Row): string =>
  row.kind === 'address' || row.kind === 'wide' || Number(row.value) > 9 ? hex(row.value) : String(row.value)

/** A 64-bit word, grouped by four digits. */
export const groupedHex = (word: bigint, bits = 64): string =>
  (word.toString(16).padStart(bits / 4, '0').match(/.{4}/g) ?? []).join('_')

/** What is said of reserved bits: that all are zero, or of each range that is not. */
export const reservedSentences = ({ reserved }: Description): string[] =>
  reserved.length === 0
    ? ['reserved  all zero']
    : reserved.map(({ high, low, value }) => `reserved  ! bits ${spell([high, low])} are ${hex(value)}, and must be zero`)

const reservedLines = (description: Description, paint: Paint): string[] =>
  reservedSentences(description).map((each) => (description.reserved.length === 0 ? each : paint('wrong', each)))

/** A row in words, as every view says it. */
export interface Cells {
  /** "63:12", or the runs of a split field. */
  readonly place: string
  readonly value: string
  /** The meaning of the value with the field's title behind it, or the title alone. */
  readonly said: string
  /** Whether nothing outside confirms the place. */
  readonly unconfirmed: boolean
  readonly role: Role
}

export const cellsOf = (row: Row): Cells => {
  const said = row.meaning ?? (row.unknown ? 'unknown value' : row.title)
  return {
    place: place(row),
    value: small(row),
    said: row.meaning === undefined ? said : `${said} (${row.title})`,
    unconfirmed: row.confirmedBy.length === 0,
    role: role(row),
  }
}

/** One line: `P+ FPD- AW=4-level ...`. Bits as + and -, reserved bits that are set with a `!`. */
export const renderLine = (description: Description, paint: Paint = plain): string =>
  [
    ...description.rows.map((row) =>
      row.kind === 'bit'
        ? paint(role(row), `${row.name}${row.value === 1 ? '+' : '-'}`)
        : `${row.name}=${paint(role(row), row.meaning ?? (row.unknown ? `${small(row)}!unknown` : small(row)))}`),
    ...description.reserved.map(({ high, low, value }) => paint('wrong', `!reserved[${spell([high, low])}]=${hex(value)}`)),
  ].join(' ')

/** One row per field, from bit 0 up, with its meaning; `?` marks a place that nothing outside confirms. */
export const renderBlock = (description: Description, paint: Paint = plain): string => {
  const { entry, rows } = description
  const table = rows.map((row) => ({ name: row.name, ...cellsOf(row) }))
  const widest = (text: (cells: (typeof table)[number]) => string): number => Math.max(...table.map((each) => text(each).length))
  const [places, names, values] = [widest((each) => each.place), widest(({ name }) => name), widest(({ value }) => value)]
  const lines = table.map(({ name, place: where, value, said, unconfirmed, role: painted }) =>
    `  ${where.padStart(places)}  ${paint('name', name.padEnd(names))}  `
      + `${paint(painted, value.padEnd(values))}  ${said}${unconfirmed ? paint('note', '  ? unconfirmed') : ''}`)
  return [`${entry.title} · ${entry.bits} bits  ${paint('note', entry.section)}`, ...lines, ...reservedLines(description, paint)].join('\n')
}

/** The words in hex and binary, word 0 first, with the fields of each from its highest bit down. */
export const renderBits = (description: Description, paint: Paint = plain): string => {
  const { entry, words, rows } = description
  const lines = words.flatMap((word, index) => {
    const [top, bottom] = [(index + 1) * entry.wordBits - 1, index * entry.wordBits]
    const inside = rows
      .flatMap((row) => row.runs.map((run) => ({ row, run })))
      .filter(({ run: [high, low] }) => low <= top && high >= bottom)
      .sort((a, b) => b.run[0] - a.run[0])
    const binary = word.toString(2).padStart(entry.wordBits, '0').match(/.{8}/g) ?? []
    return [
      `${spell([top, bottom]).padStart(7)}  ${groupedHex(word, entry.wordBits)}`,
      `         ${binary.join(' ')}`,
      ...inside.map(({ row, run }) => `         ${spell(run).padStart(7)}  ${paint('name', row.name)} ${paint(role(row), small(row))}${row.meaning ? ` ${row.meaning}` : ''}`),
    ]
  })
  return [entry.title, ...lines, ...reservedLines(description, paint)].join('\n')
}
