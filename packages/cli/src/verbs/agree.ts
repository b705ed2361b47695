// agree: the models beside QEMU, on random table states and random DMA.
import type { Paint } from '@iommu/bits'
import { targets } from '../agree/targets.js'
import type { Shown, TargetResult } from '../agree/targets.js'
import { readArguments, readNumber } from '../arguments.js'
import { EXIT, printJson, printLines, UsageError } from '../io.js'
import type { Io, Verb } from '../io.js'
import { chooseQemu } from '../qemu/choose.js'
import { painter, wrap } from '../text.js'

const COUNT = 2000
/** Columns of help. */
const HELP_COLUMNS = 80
const HELP_HANGING = 13

const names = targets.map(({ name }) => name)

const usage = `
iommu agree [--machine qemu] [--target NAME ...] [--count N] [--seed S]
            [--qemu SERIES] [--json]

Puts random table states into a model and into QEMU's emulated IOMMU, does the
same DMA on both, and compares where it went and which fault was recorded. The
first difference is made as small as possible and shown.

  --target   one IOMMU in one mode; all where none is named:
${wrap(`${' '.repeat(HELP_HANGING)}${names.join(', ')}`, HELP_COLUMNS, HELP_HANGING).join('\n')}
  --count    probes, a DMA each, on each target; ${COUNT} where absent
             (--probes is the same)
  --seed     the same seed makes the same states and probes; 1 where absent
  --qemu     a series of QEMU, such as 10.0; the reference series or a later one
             where absent

Where QEMU does not do what the specification says, its exact answer is
asserted instead: those places are listed with how often they were met, and
each is reproduced in every run, so that a QEMU that was mended is noticed.

Exit: 0 agreed, 1 a disagreement, 3 there is no such QEMU here, or it can be
none of the targets.
`

const isResult = (each: object): each is TargetResult => 'probes' in each

const percent = (part: number, whole: number): string => `${Math.round((100 * part) / Math.max(1, whole))} %`

const count = (value: number): string => value.toLocaleString('en-US')

/** Numbers in columns, and what they are of. */
const row = (numbers: readonly string[], name: string): string => `    ${numbers.map((each) => each.padStart(5)).join('')}  ${name}`.trimEnd()

/** Changed tables that caches were not told of: what QEMU answered, a line for each kind of case. */
const cacheLines = ({ cases, kinds, listed, wrong }: TargetResult['stale'], line: (text: string) => string[], paint: Paint): string[] => [
  ...(cases === 0 ? [] : [`  caches      ${count(cases)} cases of a changed entry; QEMU's answers:`, row(['old', 'new', 'same'], '')]),
  ...kinds.flatMap(({ name, old, fresh, same }) => line(row([old, fresh, same].map(count), name))),
  ...listed.filter((each) => each.count > 0).flatMap(({ id, says, count: times }) => line(paint('note', `  deviation   ${times} cases by ${id}: ${says}`))),
  ...(wrong === undefined ? [] : [
    `  ${paint('wrong', 'not allowed')} ${wrong.name}: QEMU says ${wrong.found}, and expected is ${wrong.allowed.join(' or ')}`,
    ...wrong.state.flatMap((each) => line(`    ${each}`)),
  ]),
]

const differenceLines = ({ state, probes, model, qemu, deviations, walk, log }: Shown, line: (text: string) => string[], paint: Paint): string[] => [
  `  ${paint('wrong', 'different')}`,
  ...state.flatMap((each) => line(`    ${each}`)),
  ...probes.map((each) => `    ${each}`),
  ...line(`    model  ${model}`),
  ...walk.flatMap((each) => line(`           ${each}`)),
  ...line(`    QEMU   ${qemu}`),
  ...line(`           its log ends with: ${log}`),
  ...(deviations.length === 0 ? [] : line(`    taken to apply: ${deviations.join(', ')}`)),
]

const report = (result: TargetResult, io: Io): string[] => {
  const paint = painter(io)
  const { target, qemu, probes, states, leaf, agreed, deviations, disagreements, classes, codes, listed, driven, stale, difference } = result
  const reached = codes.filter((each) => each.model > 0)
  const missed = codes.filter((each) => each.model + each.qemu === 0)
  const line = (text: string): string[] => wrap(text, io.columns, 14)
  const instead = [...listed, ...stale.listed].filter(({ shows }) => !shows)
  return [
    `${disagreements > 0 ? paint('wrong', '✗') : paint('set', '✓')} ${paint('name', target)} on QEMU ${qemu}: ${count(probes)} probes of ${count(states)} states, `
    + `${percent(leaf, probes)} to the leaf`,
    ...line(`  states      ${Object.entries(classes).map(([name, each]) => `${name} ${percent(each, probes)}`).join(', ')}`),
    ...line(`  faults      ${reached.map(({ code, model }) => `0x${code.toString(16)} ×${model}`).join(', ') || 'none'}`),
    ...(missed.length === 0 ? [] : line(`  not reached ${missed.map(({ code, meaning }) => `0x${code.toString(16)} (${meaning})`).join(', ')}`)),
    ...listed.filter((each) => each.count > 0).flatMap(({ id, says, count: times }) => line(paint('note', `  deviation   ${times} by ${id}: ${says}`))),
    ...instead.flatMap(({ id, says, instead: what }) =>
      line(`  ${paint('wrong', 'not so')}      ${id}: ${says}. Here it does not show: ${what ?? 'nothing was asked'}`)),
    ...line(`  driver      ${driven.rounds} rounds of calls: ${count(driven.words)} table words, ${driven.probes} probes`),
    ...(driven.wrong === undefined ? [] : line(`  ${paint('wrong', 'different')}   ${driven.wrong}`)),
    ...cacheLines(stale, line, paint),
    ...(difference === undefined ? [] : differenceLines(difference, line, paint)),
    `  ${count(agreed)} agreed, ${count(deviations)} by listed deviations, ${disagreements} disagreements`,
  ]
}

export const verb: Verb = {
  name: 'agree',
  summary: 'the models beside QEMU, on random states and random DMA',
  usage,
  run(args, io) {
    const { values, positionals } = readArguments(args, {
      machine: { type: 'string' },
      target: { type: 'string', multiple: true },
      count: { type: 'string' },
      probes: { type: 'string' },
      seed: { type: 'string' },
      qemu: { type: 'string' },
      json: { type: 'boolean' },
    })
    if (positionals.length > 0) throw new UsageError('expected no arguments')
    if ((values.machine ?? 'qemu') !== 'qemu') throw new UsageError(`there is no machine "${values.machine ?? ''}" to agree with; there is qemu`)
    const probes = readNumber(values.count === undefined ? 'probes' : 'count', values.count ?? values.probes, COUNT, 1)
    const seed = readNumber('seed', values.seed, 1)
    const unknown = (values.target ?? []).find((each) => !names.includes(each))
    if (unknown !== undefined) throw new UsageError(`there is no target "${unknown}"; there are ${names.join(', ')}`)
    const chosen = targets.filter(({ name }) => values.target === undefined || values.target.includes(name))
    const installation = chooseQemu(values.qemu)
    const all = chosen.map((each) => {
      const result = each.run({
        installation, probes, seed, progress: (done) => { if (io.stderrIsTTY === true) io.stderr(`\r${each.name} ${done} of ${probes} `) },
      })
      if (io.stderrIsTTY === true) io.stderr(`\r${' '.repeat(each.name.length + 24)}\r`)
      if (values.json !== true && isResult(result)) printLines(io, [...report(result, io), ''])
      return result
    })
    const results = all.filter(isResult)
    const sum = (of: (result: TargetResult) => number): number => results.reduce((total, each) => total + of(each), 0)
    const totals = {
      probes: sum((each) => each.probes), agreed: sum((each) => each.agreed),
      deviations: sum((each) => each.deviations), disagreements: sum((each) => each.disagreements),
    }
    const unavailable = all.flatMap((each) => (isResult(each) ? [] : [each]))
    if (values.json === true) {
      printJson(io, {
        schema: 'iommu.agree/1', seed, totals, unavailable,
        targets: results.map(({ codes, ...each }) => ({ ...each, codes: codes.map(({ code, ...rest }) => ({ code: `0x${code.toString(16)}`, ...rest })) })),
      })
    } else {
      printLines(io, [
        ...unavailable.map(({ target, unavailable: why }) => `– ${target}: ${why}`),
        `seed ${seed}: ${count(totals.probes)} probes, ${count(totals.agreed)} agreed, ${count(totals.deviations)} by listed deviations, ${totals.disagreements} disagreements`,
      ])
    }
    if (results.length === 0) return EXIT.environment
    return totals.disagreements > 0 ? EXIT.no : EXIT.fine
  },
}
