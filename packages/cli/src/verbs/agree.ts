// agree: the models beside QEMU, on random table states and random DMA.
import { targets } from '../agree/targets.js'
import type { TargetResult } from '../agree/targets.js'
import { readArguments } from '../arguments.js'
import { EXIT, printJson, printLines, UsageError } from '../io.js'
import type { Io, Verb } from '../io.js'
import { chooseQemu } from '../qemu/choose.js'
import { painter, wrap } from '../text.js'

const COUNT = 2000

const usage = `
iommu agree [--machine qemu] [--target NAME ...] [--count N] [--seed S]
            [--qemu SERIES] [--json]

Puts random table states into a model and into QEMU's emulated IOMMU, does the
same DMA on both, and compares where it went and which fault was recorded. The
first difference is made as small as possible and shown.

  --target   one IOMMU in one mode; all where none is named:
             ${targets.map(({ name }) => name).join(', ')}
  --count    probes for each target; ${COUNT} where absent (--probes is the same)
  --seed     the same seed makes the same states and probes; 1 where absent
  --qemu     a series of QEMU, as 10.0; the reference series where absent

Where QEMU does not do what the specification says, its exact answer is
asserted instead: those places are listed with how often they were met, and
each is reproduced in every run, so that a QEMU that was mended is noticed.

Exit: 0 agreed, 1 a disagreement, 3 there is no such QEMU here.
`

const readNumber = (name: string, text: string | undefined, otherwise: number): number => {
  if (text === undefined) return otherwise
  const value = Number(text)
  if (!/^\d+$/.test(text) || value > 0xffff_ffff) throw new UsageError(`--${name} ${text}: expected a whole number`)
  return value
}

const isResult = (each: object): each is TargetResult => 'probes' in each

const percent = (part: number, whole: number): string => `${Math.round((100 * part) / Math.max(1, whole))} %`

const count = (value: number): string => value.toLocaleString('en-US')

const report = (result: TargetResult, io: Io): string[] => {
  const paint = painter(io)
  const { target, qemu, probes, states, leaf, agreed, deviations, disagreements, classes, codes, listed, driven, stale, difference } = result
  const reached = codes.filter((each) => each.model > 0)
  const missed = codes.filter((each) => each.model + each.qemu === 0)
  const line = (text: string): string[] => wrap(text, io.columns, 4)
  const instead = [...listed, ...stale.listed].filter(({ shows }) => !shows)
  return [
    `${disagreements > 0 ? paint('wrong', '✗') : paint('set', '✓')} ${paint('name', target)} on QEMU ${qemu}: ${count(probes)} probes of ${count(states)} states, `
    + `${percent(leaf, probes)} to the leaf`,
    ...line(`  states      ${Object.entries(classes).map(([name, each]) => `${name} ${percent(each, probes)}`).join(', ')}`),
    ...line(`  faults      ${reached.map(({ code, model }) => `0x${code.toString(16)} ${model}`).join(', ')}`),
    ...(missed.length === 0 ? [] : line(`  not reached ${missed.map(({ code, meaning }) => `0x${code.toString(16)} (${meaning})`).join(', ')}`)),
    ...listed.filter((each) => each.count > 0).flatMap(({ id, says, count: times }) => line(paint('note', `  deviation   ${times} by ${id}: ${says}`))),
    ...instead.flatMap(({ id, says, instead: what }) =>
      line(`  ${paint('wrong', 'not so')}      ${id}: ${says}. Here it does not show: ${what ?? 'nothing was asked'}`)),
    ...line(`  driver      ${driven.rounds} rounds of calls: ${count(driven.words)} table words, ${driven.probes} probes`),
    ...(driven.wrong === undefined ? [] : line(`  ${paint('wrong', 'different')}   ${driven.wrong}`)),
    ...stale.kinds.flatMap(({ name, old, fresh }) => line(paint('note', `  caches      ${name}: the old answer ${old} times, the new one ${fresh}`))),
    ...stale.listed.filter((each) => each.count > 0).flatMap(({ id, says, count: times }) => line(paint('note', `  caches      ${times} by ${id}: ${says}`))),
    ...(stale.wrong === undefined ? [] : [
      `  ${paint('wrong', 'not allowed')} ${stale.wrong.name}: QEMU says ${stale.wrong.found}, and expected is ${stale.wrong.allowed.join(' or ')}`,
      ...stale.wrong.state.flatMap((each) => line(`    ${each}`)),
    ]),
    ...(difference === undefined ? [] : [
      `  ${paint('wrong', 'different')}`,
      ...difference.state.flatMap((each) => line(`    ${each}`)),
      ...difference.probes.map((each) => `    ${each}`),
      ...line(`    model  ${difference.model}`),
      ...difference.walk.flatMap((each) => line(`           ${each}`)),
      ...line(`    QEMU   ${difference.qemu}`),
      ...line(`           its log ends with: ${difference.log}`),
      ...(difference.deviations.length === 0 ? [] : line(`    taken to apply: ${difference.deviations.join(', ')}`)),
    ]),
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
    const probes = readNumber('count', values.count ?? values.probes, COUNT)
    const seed = readNumber('seed', values.seed, 1)
    const unknown = (values.target ?? []).find((each) => !targets.some(({ name }) => name === each))
    if (unknown !== undefined) throw new UsageError(`there is no target "${unknown}"; there are ${targets.map(({ name }) => name).join(', ')}`)
    const chosen = targets.filter(({ name }) => values.target === undefined || values.target.includes(name))
    const installation = chooseQemu(values.qemu)
    const all = chosen.map((each) => {
      const result = each.run({
        installation, probes, seed, progress: (done) => { if (io.isTTY) io.stderr(`\r${each.name} ${done} of ${probes} `) },
      })
      if (io.isTTY) io.stderr(`\r${' '.repeat(each.name.length + 24)}\r`)
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
    return totals.disagreements > 0 ? EXIT.no : EXIT.fine
  },
}
