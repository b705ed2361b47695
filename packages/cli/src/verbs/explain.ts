// explain: fault lines, whole logs, fields and fault codes, in plain words.
import { createReadStream } from 'node:fs'
import { createLogExplainer, explain, explainedBlocks, explanationSummary, InputError } from '@iommu/inspect'
import type { Explanation } from '@iommu/inspect'
import { readArguments } from '../arguments.js'
import { statOf, whyUnreadable } from '../capture-folder.js'
import { EXIT, printJson, printLines, UsageError } from '../io.js'
import type { Io, Verb } from '../io.js'
import { statementTopics } from '../statement-topics.js'
import { painter, wrap } from '../text.js'

const usage = `
iommu explain <anything | file | -> [--json]

  a fault line    iommu explain 'DMAR: [DMA Read NO_PASID] Request device ...'
                  iommu explain 'AMD-Vi: Event logged [IO_PAGE_FAULT ...]'
                  iommu explain 'event 0x10 received: 0x... 0x... 0x... 0x...'
                  iommu explain 'Fault 258 devid: 0x8 iotval: deadb000 ...'
  a whole log     dmesg | iommu explain -        journalctl -k | iommu explain -
  a field         iommu explain vtd.pasid.PGTT   iommu explain amd.dte.GV
  an entry        iommu explain smmuv3.ste       iommu explain riscv.dc.tc
  a fault code    iommu explain vtd:0x59         iommu explain F_TRANSLATION
  a statement     iommu explain C-PASID-03

A log of any length is read in pieces: equal reports are counted, and each
device is summed up at the end.

Meanings are this project's own words. "confirmed by" says who outside of it
bears them out; a section number that ends in "?" is recalled and unchecked.
`

const report = (result: Explanation, io: Io): string[] => {
  const paint = painter(io)
  return [
    ...explainedBlocks(result).flatMap(({ title, rows }) => [
      ...wrap(title, io.columns, 2),
      ...rows.flatMap(([label, text]) => wrap(`  ${paint('name', label.padEnd(6))}  ${text}`, io.columns, 10)),
      '',
    ]),
    ...explanationSummary(result).flatMap((line) => wrap(line, io.columns, 4)),
  ]
}

/** Nothing that is explained is written like this, but files are: "./boot.log", "/var/log/messages". */
const PATH = /^[^\s:]*(?:\/[^\s:]*|\.(?:log|txt))$/

const noLog = (file: string, found: string): InputError => new InputError({ file, place: 'the file', expected: 'a log, or - for standard input', found })

/** Throws InputError for a folder, and for what can only be meant for a file. */
const isFile = (text: string): boolean => {
  const found = statOf(text)
  if (found?.isDirectory() === true) throw noLog(text, 'a folder')
  if (found === undefined && PATH.test(text)) throw noLog(text, 'no such file')
  return found !== undefined && (found.isFile() || found.isFIFO())
}

async function* piecesOf(file: string): AsyncGenerator<string> {
  try {
    yield* createReadStream(file, 'utf8')
  } catch (error) {
    throw noLog(file, whyUnreadable(error))
  }
}

/** Before this many milliseconds nobody asks how far it is, and from then on so often it is told. */
const PATIENCE = 1000
const OFTEN = 250

/** Tells a terminal how far a long log has been read. */
const progress = ({ stderr, stderrIsTTY }: Io): { step(characters: number): void; end(): void } => {
  let next = performance.now() + PATIENCE
  let read = 0
  let shown = ''
  const show = (text: string): void => {
    stderr(`\r${text.padEnd(shown.length)}`)
    shown = text
  }
  return {
    step(characters) {
      read += characters
      if (stderrIsTTY !== true || performance.now() < next) return
      next = performance.now() + OFTEN
      show(`${Math.floor(read / 1e6).toLocaleString('en')} MB of the log read `)
    },
    end() {
      if (shown !== '') stderr(`\r${' '.repeat(shown.length)}\r`)
    },
  }
}

const explainPieces = async (pieces: AsyncIterable<string>, io: Io): Promise<Explanation> => {
  const explainer = createLogExplainer()
  const line = progress(io)
  for await (const piece of pieces) {
    await explainer.write(piece)
    line.step(piece.length)
  }
  const result = await explainer.end()
  line.end()
  return result
}

async function* allAtOnce(io: Io): AsyncGenerator<string> {
  yield await io.stdin()
}

export const verb: Verb = {
  name: 'explain',
  summary: 'a fault line, a whole dmesg (-), a field, a code, C-PASID-03',
  usage,
  async run(args, io) {
    const { values, positionals } = readArguments(args, { json: { type: 'boolean' } })
    const text = positionals.join(' ')
    if (text.trim() === '') throw new UsageError('expected something to explain, as in: dmesg | iommu explain -')
    const result = text === '-' ? await explainPieces(io.stdinPieces?.() ?? allAtOnce(io), io)
      : isFile(text) ? await explainPieces(piecesOf(text), io)
        : await explain(text, [statementTopics])
    if (values.json === true) {
      printJson(io, result)
      return EXIT.fine
    }
    if (result.items.length === 0) io.stderr('iommu explain: no fault was found in it\n')
    const lines = report(result, io)
    printLines(io, lines[lines.length - 1] === '' ? lines.slice(0, -1) : lines)
    return EXIT.fine
  },
}
