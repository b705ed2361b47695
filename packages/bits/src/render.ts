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

const reservedLines = ({ reserved }: Description, paint: Paint): string[] =>
  reserved.length === 0
    ? ['reserved  all zero']
    : reserved.map(({ high, low, value }) =>
        paint('wrong', `reserved  ! bits ${spell([high, low])} are ${hex(value)}, and must be zero`))

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
  const places = Math.max(...rows.map((row) => place(row).length))
  const names = Math.max(...rows.map(({ name }) => name.length))
  const values = Math.max(...rows.map((row) => small(row).length))
  const lines = rows.map((row) => {
    const said = row.meaning ?? (row.unknown ? 'unknown value' : row.title)
    const title = row.meaning === undefined ? said : `${said} (${row.title})`
    const doubt = row.confirmedBy.length === 0 ? paint('note', '  ? unconfirmed') : ''
    return `  ${place(row).padStart(places)}  ${paint('name', row.name.padEnd(names))}  `
      + `${paint(role(row), small(row).padEnd(values))}  ${title}${doubt}`
  })
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
