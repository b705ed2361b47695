// Runs statements on a backend and collects what came of each.
import { createCore as defaultCore, isIommuError } from '@iommu/core'
import type { InvalidationCounts } from './adversary/account.js'
import { campaignTotals } from './adversary/campaign.js'
import type { CampaignTotals } from './adversary/campaign.js'
import { manifestOf } from './backend.js'
import type { Backend, CreateCore } from './backend.js'
import { WALK, walkStatement } from './random/statement.js'
import type { Walked } from './random/walk.js'
import { createBench } from './bench.js'
import type { Bench } from './bench.js'
import { NotDeclared, StatementFailed } from './check.js'
import { groupOf } from './statement.js'
import type { Statement } from './statement.js'
import { allStatements } from './statements/index.js'

export type Status = 'passed' | 'failed' | 'not-declared' | 'unavailable'

/** What came of one statement on one backend. */
export interface Result {
  readonly driver: string
  readonly backend: string
  readonly profile: string
  readonly machine: string
  readonly statement: string
  readonly title: string
  readonly status: Status
  readonly reason?: string
  /** Under a profile: the deviation of which this is said. Passed: it breaks just what it claims. */
  readonly deviation?: { readonly id: string; readonly does: string; readonly source: string }
}

/** What adversarial mode looked at, and what it says beside the statements. */
export interface AdversaryCounts {
  /** Switches, maps, unmaps and releases that were watched step by step. */
  readonly changes: number
  /** Entry copies pieced together. */
  readonly copies: number
  /** Looks, each at every probe. */
  readonly looks: number
  readonly invalidations: InvalidationCounts
  /** Changes after which a kept copy differed from memory. */
  readonly atRest: number
}

/** Random walks over the whole API. */
export interface WalkCounts {
  readonly walks: number
  readonly commands: number
  /** With which seeds. */
  readonly seeds: readonly number[]
}

/** What was done on one kind of hardware. */
export interface KindCounts {
  readonly driver: string
  readonly backend: string
  readonly profile: string
  readonly machine: string
  readonly stores: number
  readonly transitions: number
}

/** A finding that is no failure. */
export interface Note {
  readonly driver: string
  readonly backend: string
  readonly says: string
}

export interface Report {
  readonly totals: {
    readonly passed: number
    readonly failed: number
    readonly skipped: number
    readonly stores: number
    readonly transitions: number
    /** Failures of hardware and refused calls that were made to happen. */
    readonly failuresInjected: number
    readonly adversary: AdversaryCounts
    readonly walks: WalkCounts
  }
  readonly results: readonly Result[]
  readonly kinds: readonly KindCounts[]
  readonly notes: readonly Note[]
  /** A quick run: on so many kinds of hardware, of how many. Absent: on all that were asked for. */
  readonly quick?: { readonly kinds: number; readonly of: number }
}

export interface RunOptions {
  /** Statement ids or group names; all where absent. */
  readonly only?: readonly string[]
  readonly profile?: string
  readonly machine?: string
  /** The core layer under test. */
  readonly createCore?: CreateCore
  readonly statements?: readonly Statement[]
  /** Random walks besides the statements; none where absent. */
  readonly walks?: { readonly seed: number; readonly count: number }
  /** Of `runSuite`: told the id of each statement before anything of the driver is asked for it, and again before each random walk. */
  began?(statement: string): void
}

const wanted = (only: readonly string[] | undefined) => ({ id }: Statement): boolean =>
  only === undefined || only.length === 0 || only.some((each) => each === id || each.toUpperCase() === groupOf(id))

interface Spent { readonly stores: number; readonly transitions: number; readonly failures: number }

/** What the case did not reckon with. Of a bug, which no refusal is, also where: function and file, without folders. */
const unexpected = (error: unknown): string => {
  if (!(error instanceof Error)) return `unexpected ${String(error)}`
  const [frame = ''] = isIommuError(error) ? [] : /^\s+at .+$/m.exec(error.stack ?? '') ?? []
  return `unexpected ${error.name}: ${error.message} ${frame.trim().replace(/\(.*[/\\]/, '(')}`.trimEnd()
}

/** One statement on one backend. Never throws. */
export const runStatement = (
  statement: Statement, backend: Backend, createCore: CreateCore = defaultCore,
): Pick<Result, 'status' | 'reason'> & Spent => {
  const benches: Bench[] = []
  const count = (): Spent => {
    const all = benches.map(({ counts }) => counts)
    const sum = (pick: (each: Spent) => number): number => all.reduce((total, each) => total + pick(each), 0)
    return { stores: sum(({ stores }) => stores), transitions: sum(({ transitions }) => transitions), failures: sum(({ failures }) => failures) }
  }
  try {
    if (statement.needs === 'adversary' && backend.createAdversary === undefined) {
      return { status: 'unavailable', reason: 'unavailable: the backend has no adversarial mode', ...count() }
    }
    const first = createBench(backend, createCore)
    const { manifest } = first.ops
    const why = statement.unless?.(manifest, backend, first.ops)
    if (why !== undefined) return { status: 'not-declared', reason: why, ...count() }
    // The bench that has been asked what it declares is as fresh as any, and serves the case.
    let fresh: Bench | undefined = first
    statement.run({
      backend,
      manifest,
      bench(options) {
        const bench = options === undefined && fresh !== undefined ? fresh : createBench(backend, createCore, options)
        fresh = undefined
        benches.push(bench)
        return bench
      },
    })
    return { status: 'passed', ...count() }
  } catch (error) {
    if (error instanceof NotDeclared) return { status: 'not-declared', reason: error.message, ...count() }
    // A machine that has no door for what the statement asks: told by its name, since it comes from another package.
    if (error instanceof Error && error.name === 'UnavailableError') return { status: 'unavailable', reason: error.message, ...count() }
    return { status: 'failed', reason: error instanceof StatementFailed ? error.message : unexpected(error), ...count() }
  }
}

/** What adversarial mode took on a backend so far. */
export const adversaryCounts = (backend: Backend): AdversaryCounts => {
  const found = campaignTotals(backend, [])
  return found === undefined ? NO_COUNTS : {
    changes: found.changes, copies: found.copies, looks: found.observations, invalidations: found.invalidations, atRest: found.atRest,
  }
}

const NO_COUNTS: AdversaryCounts = { changes: 0, copies: 0, looks: 0, invalidations: { needed: 0, tooWide: 0, needless: 0, mandated: 0 }, atRest: 0 }

/** What adversarial mode found on a backend that is no failure, in sentences. */
const notesOf = (backend: Backend, found: CampaignTotals): Note[] => {
  const { needless, tooWide } = found.invalidations
  const sentences = [
    ...(needless > 0 ? [`${needless} invalidations are needless: ${found.needless.join('; ')}`] : []),
    ...(tooWide > 0 ? [`${tooWide} invalidations drop more than what was stale`] : []),
    ...(found.atRest > 0 ? [`after ${found.atRest} changes a kept copy differs from memory in bits that do not matter`] : []),
    ...(found.refused.length > 0 ? [`${found.refused.length} switches are refused, and go through blocked: ${found.refused.slice(0, 3).join('; ')}`] : []),
    ...(found.undeclaredHitless.length > 0 ? [`hitless, and not declared so: ${found.undeclaredHitless.join(', ')}`] : []),
  ]
  return sentences.map((says) => ({ driver: backend.name, backend: backend.backend, says }))
}

export const NO_WALKS: WalkCounts = { walks: 0, commands: 0, seeds: [] }

/** The suite on one backend. */
export const runSuite = (backend: Backend, options: RunOptions = {}): Report => {
  const { only, profile = 'strict', machine = 'model', createCore = defaultCore, walks } = options
  const walked: Walked[] = []
  const statements = [
    ...options.statements ?? allStatements,
    ...(walks === undefined ? [] : [walkStatement({
      seed: walks.seed, walks: walks.count,
      // Each walk makes a core layer of its own.
      createCore(...made) {
        options.began?.(WALK)
        return createCore(...made)
      },
    }, (each) => void walked.push(each))]),
  ]
  let stores = 0
  let transitions = 0
  let failuresInjected = 0
  const results = statements.filter(wanted(only)).map((statement): Result => {
    options.began?.(statement.id)
    const { status, reason, ...spent } = runStatement(statement, backend, createCore)
    stores += spent.stores
    transitions += spent.transitions
    failuresInjected += spent.failures
    return {
      driver: backend.name, backend: backend.backend, profile, machine, statement: statement.id, title: statement.says,
      status, ...(reason === undefined ? {} : { reason }),
    }
  })
  const found = campaignTotals(backend, manifestOf(backend).hitless)
  for (const each of walked) {
    stores += each.stores
    transitions += each.transitions
    failuresInjected += each.failuresInjected
  }
  return {
    totals: { ...tally(results), stores, transitions, failuresInjected, adversary: adversaryCounts(backend), walks: countWalks(walked, walks?.seed) },
    results,
    kinds: [{ driver: backend.name, backend: backend.backend, profile, machine, stores, transitions }],
    notes: found === undefined ? [] : notesOf(backend, found),
  }
}

const countWalks = (walked: readonly Walked[], seed: number | undefined): WalkCounts => (walked.length === 0 || seed === undefined ? NO_WALKS : {
  walks: walked.reduce((sum, { walks }) => sum + walks, 0), commands: walked.reduce((sum, { commands }) => sum + commands, 0), seeds: [seed],
})

export const tally = (results: readonly Result[]): { passed: number; failed: number; skipped: number } => ({
  passed: results.filter(({ status }) => status === 'passed').length,
  failed: results.filter(({ status }) => status === 'failed').length,
  skipped: results.filter(({ status }) => status === 'not-declared' || status === 'unavailable').length,
})

const addCounts = (one: AdversaryCounts, other: AdversaryCounts): AdversaryCounts => ({
  changes: one.changes + other.changes,
  copies: one.copies + other.copies,
  looks: one.looks + other.looks,
  invalidations: {
    needed: one.invalidations.needed + other.invalidations.needed,
    tooWide: one.invalidations.tooWide + other.invalidations.tooWide,
    needless: one.invalidations.needless + other.invalidations.needless,
    mandated: one.invalidations.mandated + other.invalidations.mandated,
  },
  atRest: one.atRest + other.atRest,
})

/** What was counted, added up, with the verdicts of results. */
export const totalsOf = (results: readonly Result[], parts: readonly Omit<Report['totals'], 'passed' | 'failed' | 'skipped'>[]): Report['totals'] => ({
  ...tally(results),
  stores: parts.reduce((sum, { stores }) => sum + stores, 0),
  transitions: parts.reduce((sum, { transitions }) => sum + transitions, 0),
  failuresInjected: parts.reduce((sum, each) => sum + each.failuresInjected, 0),
  adversary: parts.map(({ adversary }) => adversary).reduce(addCounts, NO_COUNTS),
  walks: parts.map(({ walks }) => walks).reduce((one, other) => ({
    walks: one.walks + other.walks, commands: one.commands + other.commands, seeds: [...new Set([...one.seeds, ...other.seeds])],
  }), NO_WALKS),
})

/** Several reports as one. */
export const mergeReports = (reports: readonly Report[]): Report => {
  const results = reports.flatMap((each) => each.results)
  const [kinds, notes] = [reports.flatMap((each) => each.kinds), reports.flatMap((each) => each.notes)]
  return { totals: totalsOf(results, reports.map(({ totals }) => totals)), results, kinds, notes }
}
