// findings: what was found in other drivers and in QEMU, run again.
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { nearest } from '@iommu/inspect'
import { readArguments } from '../arguments.js'
import { evidenceOf } from '../findings/finding.js'
import type { Finding, Rerun } from '../findings/finding.js'
import { findings } from '../findings/index.js'
import { overviewOf, pageOf } from '../findings/page.js'
import { rerun } from '../findings/rerun.js'
import { EXIT, printJson, printLines, UsageError } from '../io.js'
import type { Io, Verb } from '../io.js'
import { painter, wrap } from '../text.js'

const usage = `
iommu findings [id ...] [--json]
iommu findings --pages FOLDER

What other drivers and QEMU do otherwise than the contract or the specification
says, each run again: by a variant of a driver here that does as the source
says, by the writes of a function of Linux on a model, or on QEMU. By name a
finding is told in full, with its film.

  --pages   writes the pages of docs/findings into a folder

What needs a QEMU is run where there is one, and is said not to be where there
is none; what was only read is said to be so.

Exit: 0 all that was run was reproduced, 1 one was not.
`

interface Seen {
  readonly finding: Finding
  readonly result: Rerun
}

const chosen = (ids: readonly string[]): readonly Finding[] => (ids.length === 0 ? findings : ids.map((id) => {
  const found = findings.find((each) => each.id === id)
  if (found !== undefined) return found
  const near = nearest(id, findings.map((each) => each.id))
  throw new UsageError(`there is no finding "${id}"${near === undefined ? '; iommu findings lists them' : `; did you mean ${near}?`}`)
}))

const rerunAll = async (list: readonly Finding[], io: Io): Promise<Seen[]> => {
  const seen: Seen[] = []
  for (const finding of list) {
    if (io.isTTY) io.stderr(`\r${finding.id.padEnd(40)}`)
    seen.push({ finding, result: await rerun(finding) })
  }
  if (io.isTTY) io.stderr(`\r${' '.repeat(40)}\r`)
  return seen
}

const markOf = ({ result: { reproduced } }: Seen, io: Io): string => {
  const paint = painter(io)
  return reproduced === null ? paint('note', '–') : reproduced ? paint('set', '✓') : paint('wrong', '✗')
}

const head = (seen: Seen, io: Io): string[] => {
  const { finding, result } = seen
  const { id, title, subject } = finding
  return [
    ...wrap(`  ${markOf(seen, io)} ${painter(io)('name', id)}  ${title}`, io.columns, 6),
    ...wrap(painter(io)('note', `      ${subject}; ${evidenceOf(finding)}${result.why === undefined ? '' : `, not run: ${result.why}`}`), io.columns, 6),
  ]
}

const inFull = (seen: Seen, io: Io): string[] => {
  const { finding, result } = seen
  const paint = painter(io)
  const row = (name: string, text: string): string[] => wrap(`  ${paint('note', name.padEnd(10))}${text}`, io.columns, 12)
  return [
    ...head(seen, io),
    ...row('statement', finding.statement),
    ...row('where', finding.source),
    ...finding.happens.flatMap((each) => row('happens', each)),
    ...result.observed.flatMap((each) => row('seen', each)),
    ...row('matters', finding.matters),
    ...row('a fix', finding.fix),
    ...(result.film === undefined ? [] : ['', ...result.film.flatMap((line) => wrap(line, io.columns, 14))]),
  ]
}

const writePages = (seen: readonly Seen[], folder: string): void => {
  mkdirSync(folder, { recursive: true })
  for (const { finding, result } of seen) writeFileSync(join(folder, `${finding.id}.md`), pageOf(finding, result))
  writeFileSync(join(folder, 'README.md'), overviewOf(seen.map(({ finding }) => finding)))
}

const closing = (seen: readonly Seen[]): string => {
  const count = (reproduced: boolean | null): number => seen.filter(({ result }) => result.reproduced === reproduced).length
  return `${count(true)} reproduced, ${count(false)} not reproduced, ${count(null)} not run`
}

export const verb: Verb = {
  name: 'findings',
  summary: 'what was found in other drivers and in QEMU, run again',
  usage,
  async run(args, io) {
    const { values, positionals } = readArguments(args, { pages: { type: 'string' }, json: { type: 'boolean' } })
    if (values.pages !== undefined && positionals.length > 0) throw new UsageError('--pages writes all pages')
    const seen = await rerunAll(chosen(positionals), io)
    if (values.pages !== undefined) writePages(seen, values.pages)
    if (values.json === true) {
      printJson(io, {
        schema: 'iommu.findings/1',
        findings: seen.map(({ finding, result: { reproduced, why, observed, film } }) => ({
          id: finding.id, title: finding.title, subject: finding.subject, statement: finding.statement, reproduced,
          evidence: evidenceOf(finding), source: finding.source, observed,
          ...(why === undefined ? {} : { why }), ...(film === undefined ? {} : { film }),
        })),
      })
    } else {
      printLines(io, seen.flatMap((each) => (positionals.length > 0 ? [...inFull(each, io), ''] : head(each, io))))
      printLines(io, [closing(seen)])
    }
    return seen.some(({ result }) => result.reproduced === false) ? EXIT.no : EXIT.fine
  },
}
