// explain: fault lines, whole logs, fields and fault codes, in plain words.
import { existsSync, readFileSync, statSync } from 'node:fs'
import { explain, explainLog, readBdf } from '@iommu/inspect'
import type { Explained, Explanation } from '@iommu/inspect'
import { readArguments } from '../arguments.js'
import { EXIT, printJson, printLines, UsageError } from '../io.js'
import type { Io, Verb } from '../io.js'
import { painter, wrap } from '../text.js'

const usage = `
iommu explain <anything | file | -> [--json]

  a fault line    iommu explain 'DMAR: [DMA Read NO_PASID] Request device ...'
  a whole log     dmesg | iommu explain -        journalctl -k | iommu explain -
  a field         iommu explain vtd.pasid.PGTT   iommu explain PGTT
  an entry        iommu explain vtd.context
  a fault code    iommu explain vtd:0x59

Meanings are this project's own words. "confirmed by" says who outside of it
bears them out; a section number that ends in "?" is recalled and unchecked.
`

const hexCode = (code: number): string => `0x${code.toString(16).padStart(2, '0')}`
const spell = ([high, low]: readonly [number, number]): string => (high === low ? `${low}` : `${high}:${low}`)

const confirmed = ({ confirmedBy, section }: Explained): string => {
  const by =
    confirmedBy === undefined
      ? ''
      : confirmedBy.length === 0
      ? 'confirmed by nobody outside'
      : `confirmed by ${confirmedBy.join(', ')}`
  const where = section === undefined ? '' : `${section}${section.endsWith('?') ? ' (section unchecked)' : ''}`
  return [by, where].filter((each) => each !== '').join(' · ')
}

/** What does not differ from one item with the same code to the next. */
const SAID_ONCE: ReadonlySet<string> = new Set(['so', 'usual', 'source'])

/** Label and text of each line of an item. */
const linesOf = (item: Explained): (readonly [label: string, text: string])[] => {
  const {
    kind,
    device,
    pasid,
    access,
    address,
    index,
    code,
    meaning,
    reading,
    so,
    usual = [],
    bits,
    values,
    alias,
    fields,
    name,
  } = item
  const rows: (readonly [string, string])[] = []
  if (device !== undefined) {
    const rid = readBdf(device)?.requesterId
    rows.push([
      'who',
      `${device}, ${pasid === undefined ? 'no PASID' : `PASID ${pasid}`} (requester id 0x${(rid ?? 0)
        .toString(16)
        .padStart(4, '0')})`,
    ])
  }
  if (access !== undefined) rows.push(['what', `${access} of ${address ?? 'an unknown address'}`])
  if (index !== undefined) rows.push(['what', `interrupt with index 0x${index.toString(16)}`])
  if (bits !== undefined) rows.push(['bits', bits.map(spell).join(', ')])
  if (code !== undefined)
    rows.push(['why', `${hexCode(code)}  ${meaning ?? 'unknown: VT-d reasons known here do not include it'}`])
  else if (kind === 'other-vendor')
    rows.push(['note', `a line of another vendor's IOMMU (${item.vendor}), which this version does not explain`])
  else if (kind === 'dma-fault' || kind === 'interrupt-fault') rows.push(['why', 'the line gives no reason'])
  else if (meaning !== undefined) rows.push([name === undefined ? 'note' : 'is', meaning])
  if (reading !== undefined) rows.push(['read', reading])
  for (const [value, said] of Object.entries(values ?? {})) rows.push(['value', `${value} ${said}`])
  if (alias !== undefined) rows.push(['also', alias.join(', ')])
  if (fields !== undefined) rows.push(['fields', fields.join(' ')])
  if (so !== undefined) rows.push(['so', so])
  if (usual.length > 0) rows.push(['usual', usual.join(' · ')])
  const source = confirmed(item)
  if (source !== '') rows.push(['source', source])
  return rows
}

const report = ({ items, devices, otherLines }: Explanation, io: Io): string[] => {
  const paint = painter(io)
  const explained = new Set<string>()
  const shown = items.flatMap((item) => {
    const title = item.kind === 'field' ? item.name as string : item.input
    const key = `${item.kind} ${item.code} ${item.so}`
    const rows = linesOf(item).filter(([label]) => !explained.has(key) || !SAID_ONCE.has(label))
    if (item.code !== undefined) explained.add(key)
    return [
      ...wrap(item.count > 1 ? `${title}  (${item.count} times)` : title, io.columns, 2),
      ...rows.flatMap(([label, text]) => wrap(`  ${paint('name', label.padEnd(6))}  ${text}`, io.columns, 10)),
      '',
    ]
  })
  const summary =
    devices.length === 0
      ? []
      : [
          ...devices.map(
            ({ device, faults, distinct, codes }) =>
              `${device}: ${faults} ${faults === 1 ? 'fault' : 'faults'}, ${distinct} different; reasons ${
                codes.map(hexCode).join(' ') || 'not given'
              }`,
          ),
        ]
  const rest = otherLines === 0 ? [] : [`${otherLines} other IOMMU lines, no faults`]
  return [...shown, ...(items.length > 1 || items.length === 0 ? [...summary, ...rest] : [])]
}

const isFile = (text: string): boolean =>
  !text.includes('\n') && text.length < 4096 && existsSync(text) && statSync(text).isFile()

export const verb: Verb = {
  name: 'explain',
  summary: 'a fault line, a whole dmesg (-), a field or a fault code',
  usage,
  async run(args, io) {
    const { values, positionals } = readArguments(args, { json: { type: 'boolean' } })
    const text = positionals.join(' ')
    if (text.trim() === '') throw new UsageError('expected something to explain, as in: dmesg | iommu explain -')
    const result = text === '-' ? explainLog(await io.stdin())
      : isFile(text) ? explainLog(readFileSync(text, 'utf8'))
        : explain(text)
    if (values.json === true) {
      printJson(io, result)
      return EXIT.fine
    }
    if (result.items.length === 0) io.stderr('iommu explain: no fault in it\n')
    const lines = report(result, io)
    printLines(io, lines[lines.length - 1] === '' ? lines.slice(0, -1) : lines)
    return EXIT.fine
  },
}
