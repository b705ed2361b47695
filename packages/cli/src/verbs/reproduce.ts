// reproduce: recorded entries beside what the driver writes in their place.
import { reproduce } from '@iommu/inspect'
import type { ReproducedEntry, ReproduceVerdict, Reproduction } from '@iommu/inspect'
import { openCapture } from '../capture-folder.js'
import { readArguments } from '../arguments.js'
import { EXIT, printJson, printLines, UsageError } from '../io.js'
import type { Io, Verb } from '../io.js'
import { painter, wrap } from '../text.js'

const usage = `
iommu reproduce <capture> [--json]

The driver writes every recorded entry again, and the words are compared bit
for bit: entries of devices, streams and PASIDs, what leads to them, and page
tables.

It is told what an entry stands for: blocked, identity, or which kind of page
table; the domain id; where tables lie, how large and how deep they are; whether
the device may use ATS and PASIDs, and whether a domain enforces snooping; of a
page its addresses, size and permissions. All other bits are the driver's own.

  equal        the same words
  explained    other words, for a reason that has a name
  different    other words: exit 1
`

const VERDICTS: readonly ReproduceVerdict[] = ['equal', 'explained', 'different']
/** Of differing entries so many are shown; a wrong bit is often in all entries of a kind. */
const SHOWN = 8

const countRows = ({ entries }: Reproduction): string[] => {
  const counts = new Map<string, Record<ReproduceVerdict, number>>()
  for (const { entry, verdict } of entries) {
    const row = counts.get(entry) ?? { equal: 0, explained: 0, different: 0 }
    row[verdict]++
    counts.set(entry, row)
  }
  const width = Math.max(0, ...[...counts.keys()].map(({ length }) => length))
  const line = (name: string, cells: readonly (string | number)[]): string =>
    `  ${name.padEnd(width)}${cells.map((cell) => String(cell).padStart(11)).join('')}`
  return counts.size === 0 ? [] : [
    line('', VERDICTS),
    ...[...counts].map(([name, row]) => line(name, VERDICTS.map((verdict) => row[verdict]))),
  ]
}

const WORDS_A_LINE = 3

const wordLines = (title: string, words: readonly string[]): string[] => {
  const used = words.slice(0, Math.max(1, words.findLastIndex((word) => BigInt(word) !== 0n) + 1))
  const rows = Array.from({ length: Math.ceil(used.length / WORDS_A_LINE) }, (_, row) =>
    used.slice(row * WORDS_A_LINE, (row + 1) * WORDS_A_LINE).join(' '))
  return rows.map((row, index) => `      ${(index === 0 ? title : '').padEnd(9)} ${row}`)
}

const showDifferent = (each: ReproducedEntry, io: Io): string[] => {
  const { bdf, pasid, entry, address, iova, recorded, ours, fields, note } = each
  const paint = painter(io)
  const who = `${bdf}${pasid === undefined ? '' : ` PASID ${pasid}`}`
  const where = `${entry} at ${address}${iova === undefined ? '' : ` for ${iova}`}`
  const what = note ?? (fields ?? []).join(', ')
  return [
    ...wrap(`  ${paint('wrong', 'different')}  ${who}, ${paint('name', where)}: ${what}`, io.columns, 6),
    ...wordLines('recorded', recorded).map((line) => paint('note', line)),
    ...(ours.length === 0 ? [] : wordLines('ours', ours).map((line) => paint('note', line))),
  ]
}

const report = (result: Reproduction, io: Io): string[] => {
  const { platform, mode, totals, entries, rules } = result
  const different = entries.filter(({ verdict }) => verdict === 'different')
  const left = different.length - SHOWN
  return [
    `${platform}${mode === 'on' ? '' : mode === 'off' ? ', translation off' : `, ${mode} mode`}: ${entries.length} entries, `
    + `${totals.equal} equal, ${totals.explained} explained, ${totals.different} different`,
    ...countRows(result),
    ...rules.flatMap(({ id, count, says, source }) =>
      wrap(`  explained  ${count} by ${id}: ${says} (${source})`, io.columns, 6)),
    ...different.slice(0, SHOWN).flatMap((each) => showDifferent(each, io)),
    ...(left > 0 ? [`  and ${left} more that are different; --json lists them`] : []),
  ]
}

export const verb: Verb = {
  name: 'reproduce',
  summary: 'recorded entries, written again by the driver and compared',
  usage,
  async run(args, io) {
    const { values, positionals: [folder, ...more] } = readArguments(args, { json: { type: 'boolean' } })
    if (folder === undefined || more.length > 0) throw new UsageError('expected one capture folder')
    const result = reproduce(await openCapture(folder))
    if (values.json === true) printJson(io, result)
    else printLines(io, report(result, io))
    return result.totals.different > 0 ? EXIT.no : EXIT.fine
  },
}
