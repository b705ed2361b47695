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
                  iommu explain 'AMD-Vi: Event logged [IO_PAGE_FAULT ...]'
                  iommu explain 'event 0x10 received: 0x... 0x... 0x... 0x...'
  a whole log     dmesg | iommu explain -        journalctl -k | iommu explain -
  a field         iommu explain vtd.pasid.PGTT   iommu explain amd.dte.GV
  an entry        iommu explain smmuv3.ste
  a fault code    iommu explain vtd:0x59         iommu explain F_TRANSLATION

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
const SAID_ONCE: ReadonlySet<string> = new Set(['so', 'usual', 'next', 'source'])
/** What the codes of each vendor are called, and where those that are known come from. */
const UNKNOWN: Readonly<Record<string, string>> = {
  vtd: 'VT-d reasons known here do not include it', amd: 'AMD-Vi events known here do not include it',
  smmuv3: 'SMMUv3 events known here do not include it',
}

const whoOf = ({ device = '', pasid }: Explained): string => {
  const rid = readBdf(device)?.requesterId
  const id = rid === undefined ? '' : ` (requester id 0x${rid.toString(16).padStart(4, '0')})`
  return `${device}, ${pasid === undefined ? 'no PASID' : `PASID ${pasid}`}${id}`
}

/** Why it happened. VT-d's reasons have numbers, the others' events have names besides. */
const whyOf = ({ kind, vendor = '', code, name, meaning }: Explained): readonly [label: string, text: string] | undefined => {
  if (code !== undefined) {
    const named = vendor === 'vtd' || name === undefined || meaning === undefined ? '' : `${name}: `
    return ['why', `${hexCode(code)}  ${meaning === undefined
      ? `unknown: ${UNKNOWN[vendor] ?? 'no vendor known here has it'}` : `${named}${meaning}`}`]
  }
  if (kind === 'other-vendor') return ['note', `a line of an IOMMU (${vendor}) which this version does not explain`]
  if (kind === 'dma-fault' || kind === 'interrupt-fault') {
    return ['why', name === undefined ? 'the line gives no reason' : `unknown: an event called ${name}`]
  }
  return meaning === undefined ? undefined : [name === undefined ? 'note' : 'is', meaning]
}

/** Label and text of each line of an item. */
const linesOf = (item: Explained): (readonly [label: string, text: string])[] => {
  const {
    device, access, address, index, domainId, details = [], flags, reading, so, usual = [], next = [], bits, values, alias, fields,
  } = item
  const rows: (readonly [string, string])[] = []
  if (device !== undefined) rows.push(['who', whoOf(item)])
  if (access !== undefined) rows.push(['what', `${access} of ${address ?? 'an unknown address'}`])
  else if (address !== undefined) rows.push(['at', address])
  if (index !== undefined) rows.push(['what', `interrupt with index 0x${index.toString(16)}`])
  if (domainId !== undefined) rows.push(['domain', `0x${domainId.toString(16)}`])
  if (bits !== undefined) rows.push(['bits', bits.map(spell).join(', ')])
  const why = whyOf(item)
  if (why !== undefined) rows.push(why)
  if (flags !== undefined) rows.push(['flags', flags.map(({ name, value }) => `${name}${flagValue(value)}`).join(' ')])
  if (details.length > 0) rows.push(['how', details.join(' · ')])
  if (reading !== undefined) rows.push(['read', reading])
  for (const [value, said] of Object.entries(values ?? {})) rows.push(['value', `${value} ${said}`])
  if (alias !== undefined) rows.push(['also', alias.join(', ')])
  if (fields !== undefined) rows.push(['fields', fields.join(' ')])
  if (so !== undefined) rows.push(['so', so])
  if (usual.length > 0) rows.push(['usual', usual.join(' · ')])
  if (next.length > 0) rows.push(['next', next.join(' · ')])
  const source = confirmed(item)
  if (source !== '') rows.push(['source', source])
  return rows
}

const flagValue = (value: number): string => (value === 0 ? '-' : value === 1 ? '+' : `=${value}`)

const summaryOf = ({ items, devices }: Explanation): string[] =>
  devices.map(({ device, vendor, faults, distinct, codes }) => {
    const named = codes.map((code) => {
      const name = items.find((item) => item.vendor === vendor && item.code === code && item.meaning !== undefined)?.name
      return vendor === 'vtd' || name === undefined ? hexCode(code) : name
    })
    return `${device}: ${faults} ${faults === 1 ? 'fault' : 'faults'}, ${distinct} different; reasons ${named.join(' ') || 'not given'}`
  })

const report = (result: Explanation, io: Io): string[] => {
  const { items, otherLines } = result
  const paint = painter(io)
  const explained = new Set<string>()
  const shown = items.flatMap((item) => {
    const title = item.kind === 'field' ? item.name as string : item.input
    const key = `${item.kind} ${item.vendor} ${item.code} ${item.so}`
    const rows = linesOf(item).filter(([label]) => !explained.has(key) || !SAID_ONCE.has(label))
    if (item.code !== undefined) explained.add(key)
    return [
      ...wrap(item.count > 1 ? `${title}  (${item.count} times)` : title, io.columns, 2),
      ...rows.flatMap(([label, text]) => wrap(`  ${paint('name', label.padEnd(6))}  ${text}`, io.columns, 10)),
      '',
    ]
  })
  const rest = otherLines === 0 ? [] : [`${otherLines} other IOMMU lines, no faults`]
  return [...shown, ...(items.length > 1 || items.length === 0 ? [...summaryOf(result), ...rest] : [])]
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
    const result = text === '-' ? await explainLog(await io.stdin())
      : isFile(text) ? await explainLog(readFileSync(text, 'utf8'))
        : await explain(text)
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
