// Reports of conform as files: read, and put together where they are parts of one whole.
import { readFileSync } from 'node:fs'
import { mergeReports } from '@iommu/conformance'
import type { Report, Result } from '@iommu/conformance'
import { InputError } from '@iommu/inspect'

/** Which part of the work a report is of: part i of n, of so many tasks. */
export interface Shard {
  readonly part: number
  readonly parts: number
  readonly tasks: number
}

interface ReadReport {
  readonly file: string
  readonly report: Report
  readonly shard: Shard | undefined
}

const readReport = (file: string): ReadReport => {
  let value: Partial<Report> & { readonly schema?: unknown; readonly shard?: Shard }
  try {
    value = JSON.parse(readFileSync(file, 'utf8')) as typeof value
  } catch (error) {
    const { code, message } = error as { code?: string; message: string }
    throw new InputError({ file, place: 'file', expected: 'a report of iommu conform --json', found: code === 'ENOENT' ? 'no such file' : message })
  }
  if (value.schema !== 'iommu.conform/1' || value.totals === undefined || !Array.isArray(value.results)) {
    throw new InputError({ file, place: 'schema', expected: 'iommu.conform/1', found: JSON.stringify(value.schema ?? null) })
  }
  const { totals, results, kinds = [], notes = [], shard } = value
  if (value.quick !== undefined) {
    throw new InputError({ file, place: 'quick', expected: 'a run on every kind of hardware', found: `a quick one, on ${value.quick.kinds} of ${value.quick.of}` })
  }
  // Reports of an older suite have counted less.
  return { file, shard, report: { totals: { ...mergeReports([]).totals, ...totals }, results, kinds, notes } }
}

/** Shards of one run: all of them, each once. */
const requireWhole = (reports: readonly ReadReport[]): void => {
  const first = reports.find(({ shard }) => shard !== undefined)
  if (first?.shard === undefined) return
  const { parts, tasks } = first.shard
  const seen = new Map<number, string>()
  for (const { file, shard } of reports) {
    if (shard === undefined) throw new InputError({ file, place: 'shard', expected: `one of ${parts} shards, as ${first.file} is`, found: 'a whole report' })
    if (shard.parts !== parts || shard.tasks !== tasks) {
      throw new InputError({
        file, place: 'shard', expected: `a shard of ${parts} with ${tasks} tasks, as ${first.file} is`, found: `one of ${shard.parts} with ${shard.tasks}`,
      })
    }
    const before = seen.get(shard.part)
    if (before !== undefined) throw new InputError({ file, place: 'shard', expected: 'each shard once', found: `${shard.part}/${parts}, which ${before} is too` })
    seen.set(shard.part, file)
  }
  const missing = Array.from({ length: parts }, (_, index) => index + 1).filter((part) => !seen.has(part))
  if (missing.length > 0) {
    throw new InputError({ file: first.file, place: 'shard', expected: `all ${parts} shards`, found: `none that is ${missing.map((part) => `${part}/${parts}`).join(', ')}` })
  }
}

const keyOf = ({ driver, backend, profile, machine, statement, deviation }: Result): string =>
  [driver, backend, profile, machine, statement, deviation?.id ?? ''].join(' · ')

/** A statement on a kind of hardware has one result. */
const requireEachOnce = (reports: readonly ReadReport[]): void => {
  const seen = new Map<string, string>()
  for (const { file, report } of reports) {
    for (const result of report.results) {
      const key = keyOf(result)
      const before = seen.get(key)
      if (before !== undefined) throw new InputError({ file, place: 'results', expected: 'each result once', found: `${key}, which ${before === file ? 'is there twice' : `${before} has too`}` })
      seen.set(key, file)
    }
  }
}

/** Throws InputError where a file is no report, where a shard is missing or there twice, or a result is. */
export const mergeFiles = (files: readonly string[]): Report => {
  const reports = files.map(readReport)
  requireWhole(reports)
  requireEachOnce(reports)
  return mergeReports(reports.map(({ report }) => report))
}
