// conform: the suite on drivers, its mutants, and reports put together.
import {
  allStatements, deviationReport, groupOf, WALK, mergeReports, renderDeviations, renderJunit, renderMutants, renderTap, renderText,
} from '@iommu/conformance'
import type { MutantResult, Report, Role } from '@iommu/conformance'
import { readArguments, readNumber } from '../arguments.js'
import { mergeFiles } from '../conform-reports.js'
import type { Shard } from '../conform-reports.js'
import { countKinds, listTasks, profilesOf } from '../conform-tasks.js'
import type { Outcome, Task } from '../conform-tasks.js'
import { driverNames } from '../driver-modules.js'
import { EXIT, printJson, UsageError } from '../io.js'
import type { Io, Verb } from '../io.js'
import { painter } from '../text.js'
import { runTasks } from '../threads.js'

const SEED = 1
const WALKS = 12

const usage = `
iommu conform [driver ...] [--quick] [--only ID|GROUP ...] [--seed S] [--walks N]
              [--shard i/n] [--reporter text|junit|tap] [--json]
iommu conform [driver ...] --mutants [--shard i/n] [--json]
iommu conform [driver ...] --profile NAME [--reporter ...] [--json]
iommu conform [driver ...] --machine qemu [--qemu SERIES] [--only ID|GROUP ...]
              [--reporter ...] [--json]
iommu conform --merge a.json b.json ... [--reporter ...] [--json]

Runs every statement of the contract on every kind of hardware that a driver
brings. A driver is a name (iommu drivers lists them), a package, or a path to
a module that exports "backends"; all drivers that are here where none is named.

  --only      statements or groups: --only C-PASID-05 --only map
  --quick     on one kind of hardware of each driver alone, the plainest: the one that
              declares the most with the fewest formats; seconds in place of a minute
  --mutants   runs the suite on broken drivers and a broken core layer, each
              of which must fail the statement that it breaks
  --profile   what another driver does otherwise than the contract says, such as
              linux-7.3: each deviation must break just what it claims
  --machine   model, or qemu: on QEMU's emulated IOMMUs; what it has no door for
              is unavailable, with the reason
  --qemu      a series of QEMU, such as 10.0; 11.1 or later where absent
  --seed      of the random walks over the whole API; ${SEED} where absent. A walk
              that fails is made short, and is walked again with its seed
  --walks     how many on each kind of hardware; ${WALKS} where absent
  --shard     part i of n of the work, the same way every time
  --merge     puts --json reports together, of shards or of machines: of shards
              all must be there, and nothing may be there twice

A driver that loops for ever is stopped: a statement that does not return within
five minutes has failed, and what follows it on that kind of hardware is not run.

Exit: 0 all passed, 1 a statement failed, a mutant was not caught, or a
deviation does not break just what it claims, 3 there is no such QEMU here, or
it has none of the boards.
`

const ROLES = { title: 'name', passed: 'set', failed: 'wrong', skipped: 'note', note: 'note' } as const satisfies Record<Role, string>

const reporters = ['text', 'junit', 'tap'] as const
type Reporter = (typeof reporters)[number]

const readReporter = (name: string): Reporter => {
  const found = reporters.find((each) => each === name)
  if (found === undefined) throw new UsageError(`there is no reporter "${name}"; there are ${reporters.join(', ')}`)
  return found
}

const readOnly = (only: readonly string[]): string[] => {
  const ids = [...allStatements.map(({ id }) => id), WALK]
  for (const each of only) {
    const known = ids.some((id) => id === each.toUpperCase() || groupOf(id) === each.toUpperCase())
    if (!known) throw new UsageError(`there is no statement or group "${each}"; groups are ${[...new Set(ids.map(groupOf))].join(', ')}`)
  }
  return only.map((each) => each.toUpperCase())
}

/** Part i of n, counted from 1; the whole where none is named. */
const readShard = (shard: string | undefined): Omit<Shard, 'tasks'> | undefined => {
  if (shard === undefined) return undefined
  const [, part, parts] = (/^(\d+)\/(\d+)$/.exec(shard) ?? []).map(Number)
  if (part === undefined || parts === undefined || part < 1 || part > parts) {
    throw new UsageError(`--shard ${shard}: expected i/n with 1 <= i <= n`)
  }
  return { part, parts }
}

const print = (
  report: Report, { json, reporter, shard }: { readonly json: boolean; readonly reporter: Reporter; readonly shard?: Shard | undefined },
  io: Io, render = renderText,
): number => {
  const paint = painter(io)
  if (json) printJson(io, { schema: 'iommu.conform/1', ...(shard === undefined ? {} : { shard }), ...report })
  else if (reporter === 'junit') io.stdout(renderJunit(report))
  else if (reporter === 'tap') io.stdout(renderTap(report))
  else io.stdout(render(report, (role, text) => paint(ROLES[role], text)))
  return report.totals.failed > 0 ? EXIT.no : EXIT.fine
}

const printMutants = (mutants: readonly MutantResult[], json: boolean, io: Io): number => {
  const paint = painter(io)
  const harmless = mutants.filter((each) => each.caught && each.harmless !== undefined).length
  const caught = mutants.filter((each) => each.caught).length - harmless
  if (json) {
    printJson(io, {
      schema: 'iommu.mutants/1',
      totals: { mutants: mutants.length, caught, harmless },
      mutants: mutants.map(({ breaks, caughtBy, ...each }) => ({
        ...each, breaks: breaks[0], mayFail: breaks, caughtBy: caughtBy.map(({ statement }) => statement), reasons: caughtBy,
      })),
    })
  } else io.stdout(renderMutants(mutants, (role, text) => paint(ROLES[role], text)))
  return caught + harmless === mutants.length ? EXIT.fine : EXIT.no
}

/** A line that is rewritten in place on a terminal, and not there elsewhere. */
const progress = (io: Io, what: string, total: number): { step(done: number): void; say(sentence: string): void; end(): void } => {
  const write = (text: string): void => {
    if (io.isTTY) io.stderr(text)
  }
  const end = (): void => write(`\r${' '.repeat(what.length + 20)}\r`)
  return {
    step: (done) => write(`\r${what} ${done} of ${total}`),
    say(sentence) {
      end()
      io.stderr(`iommu conform: ${sentence}\n`)
    },
    end,
  }
}

/** The suite on QEMU's boards. Throws EnvironmentError where there is no QEMU. Loaded when asked for: the model needs no processes. */
const onQemu = async (positionals: readonly string[], series: string | undefined, only: readonly string[], io: Io): Promise<Report> => {
  const [{ chooseQemu }, { conformOnQemu }, { driversOnQemu }] = await Promise.all([
    import('../qemu/choose.js'), import('../qemu/conform.js'), import('../qemu/backends.js'),
  ])
  const named = positionals.length === 0 ? driversOnQemu : positionals
  const other = named.find((each) => !driversOnQemu.includes(each))
  if (other !== undefined) throw new UsageError(`there is no board of QEMU for ${other}; there are boards for ${driversOnQemu.join(', ')}`)
  const installation = chooseQemu(series)
  return mergeReports(named.map((each) => conformOnQemu(each, installation, only, (done, of) => {
    if (io.isTTY) io.stderr(`\r${each} on QEMU: board ${done + 1} of ${of} `)
  })))
}

const isReport = (outcome: Outcome): outcome is { readonly report: Report } => 'report' in outcome

/** How fast it was, which no two runs agree on: talk, and no part of the answer. */
const speedOf = ({ totals: { adversary, stores, transitions } }: Report, seconds: number): string => {
  const per = (count: number, of: number): string => Math.round(count / Math.max(of, 0.001)).toLocaleString('en')
  return `${seconds.toFixed(1)} s: ${per(stores, seconds)} stores and ${per(adversary.copies, seconds)} copies explored a second, ${per(stores, transitions)} stores a transition\n`
}

export const verb: Verb = {
  name: 'conform',
  summary: 'run the conformance suite on drivers',
  usage,
  async run(args, io) {
    const { values, positionals } = readArguments(args, {
      only: { type: 'string', multiple: true },
      mutants: { type: 'boolean' },
      merge: { type: 'boolean' },
      quick: { type: 'boolean' },
      shard: { type: 'string' },
      seed: { type: 'string' },
      walks: { type: 'string' },
      reporter: { type: 'string' },
      machine: { type: 'string' },
      qemu: { type: 'string' },
      profile: { type: 'string' },
      json: { type: 'boolean' },
    })
    const json = values.json === true
    const reporter = readReporter(values.reporter ?? 'text')
    const machine = values.machine ?? 'model'
    if (machine !== 'model' && machine !== 'qemu') throw new UsageError(`there is no machine "${machine}"; there are model, qemu`)
    if (values.merge === true) {
      if (positionals.length === 0) throw new UsageError('--merge needs reports')
      return print(mergeFiles(positionals), { json, reporter }, io)
    }
    const part = readShard(values.shard)
    const walks = { seed: readNumber('seed', values.seed, SEED), count: readNumber('walks', values.walks, WALKS) }
    const profile = values.profile === undefined || values.profile === 'strict' ? undefined : values.profile
    const kind = values.mutants === true || profile !== undefined ? 'mutant' : 'suite'
    const only = readOnly(values.only ?? [])
    const quick = values.quick === true
    if (quick && (kind === 'mutant' || part !== undefined || machine === 'qemu')) {
      throw new UsageError('--quick is for the whole suite on models: not with --mutants, --profile, --shard, --machine qemu')
    }
    if (machine === 'qemu') {
      if (kind === 'mutant') throw new UsageError('--mutants and --profile run on the model')
      const report = await onQemu(positionals, values.qemu, only, io)
      const code = print(report, { json, reporter }, io)
      return report.results.every(({ status }) => status === 'unavailable') ? EXIT.environment : code
    }
    const drivers = positionals.length === 0 ? driverNames : positionals
    const tasks: Task[] = []
    for (const driver of drivers) tasks.push(...await listTasks(kind, driver, { only, quick, walks, ...(profile === undefined ? {} : { profile }) }))
    if (profile !== undefined && tasks.length === 0) {
      const known = new Set(['strict', ...(await Promise.all(drivers.map(profilesOf))).flat()])
      throw new UsageError(`there is no profile "${profile}" of ${drivers.join(', ')}; there are ${[...known].join(', ')}`)
    }
    // Every n-th task, from the i-th on: the same way every time.
    const chosen = part === undefined ? tasks : tasks.filter((_task, index) => index % part.parts === part.part - 1)
    const how = { json, reporter, shard: part && { ...part, tasks: tasks.length } }
    const line = progress(io, kind === 'suite' ? 'kinds of hardware' : profile === undefined ? 'mutants' : 'deviations', chosen.length)
    line.step(0)
    const begin = performance.now()
    const outcomes = await runTasks(chosen, { finished: line.step, silent: line.say })
    const seconds = (performance.now() - begin) / 1000
    line.end()
    const mutants = outcomes.flatMap((each) => (isReport(each) ? [] : [each.mutant]))
    if (profile !== undefined) return print(deviationReport(mutants), how, io, renderDeviations)
    if (kind === 'mutant') return printMutants(mutants, json, io)
    const report: Report = {
      ...mergeReports(outcomes.flatMap((each) => (isReport(each) ? [each.report] : []))),
      ...(quick ? { quick: { kinds: chosen.length, of: (await Promise.all(drivers.map(countKinds))).reduce((sum, each) => sum + each, 0) } } : {}),
    }
    if (io.isTTY) io.stderr(speedOf(report, seconds))
    return print(report, how, io)
  },
}

