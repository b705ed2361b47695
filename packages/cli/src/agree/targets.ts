// Everything that can be compared, and one target's run: its list of deviations first, then random states.
import type { Installation } from '@iommu/machine-qemu'
import { applies, compare, createPair, onBoard, reproduces } from './compare.js'
import { compareDriven } from './driven.js'
import type { DrivenResult } from './driven.js'
import { compareStale, reproduceStale } from './stale.js'
import type { Answered } from './stale.js'
import { amdSubject } from './amd/subject.js'
import { armSubjects } from './arm/subject.js'
import { riscvSubjects } from './riscv/subject.js'
import { vtdSubjects } from './vtd/subject.js'
import { answerLine, probeLine, whereText } from './subject.js'
import type { Subject } from './subject.js'

/** One listed deviation in a run. */
export interface Listed {
  readonly id: string
  readonly says: string
  /** Probes of random states, or cases of stale caches, that met it. */
  readonly count: number
  /** Whether its reproduction still shows it. */
  readonly shows: boolean
  /** Where it does not: what model and QEMU said. */
  readonly instead?: string
}

export interface Code {
  readonly code: number
  readonly meaning: string
  /** How often the model recorded it, and how often QEMU did. */
  readonly model: number
  readonly qemu: number
}

/** A difference in words. */
export interface Shown {
  readonly state: readonly string[]
  readonly probes: readonly string[]
  readonly model: string
  readonly qemu: string
  readonly deviations: readonly string[]
  /** The entries that the model read. */
  readonly walk: readonly string[]
  /** The last line of QEMU's own log. */
  readonly log: string
}

/** Caches that were not told of a change. */
export interface Stale {
  readonly cases: number
  /** By what was changed and left out. */
  readonly kinds: readonly (Answered & { readonly name: string })[]
  /** Listed deviations, with the cases that met them. */
  readonly listed: readonly Listed[]
  /** An answer that no hardware may give, or that is not as listed. */
  readonly wrong?: { readonly name: string; readonly state: readonly string[]; readonly found: string; readonly allowed: readonly string[] }
}

/** What came of one target. */
export interface TargetResult {
  readonly target: string
  readonly qemu: string
  readonly probes: number
  readonly states: number
  /** Probes that reached a leaf, or pass-through. */
  readonly leaf: number
  readonly agreed: number
  readonly deviations: number
  readonly disagreements: number
  readonly classes: Readonly<Record<string, number>>
  readonly codes: readonly Code[]
  readonly listed: readonly Listed[]
  /** States that the driver wrote: rounds, words compared, and probes besides. */
  readonly driven: DrivenResult
  readonly stale: Stale
  readonly difference?: Shown
}

export interface TargetOptions {
  readonly installation: Installation
  readonly probes: number
  readonly seed: number
  readonly progress?: (done: number) => void
}

/** A target, whatever its plans look like. */
export interface Target {
  readonly name: string
  /** Why this QEMU cannot be it; undefined where it can. */
  run(options: TargetOptions): TargetResult | { readonly target: string; readonly unavailable: string }
}

/** Of so many probes one is a case of stale caches besides. */
const STALE_SHARE = 0.1
/** And of so many one is a round of a driver's. */
const DRIVEN_SHARE = 0.01

const hex = (value: number | bigint): string => `0x${value.toString(16)}`

const target = <Plan extends { readonly class: string }>(subject: Subject<Plan>): Target => ({
  name: subject.target,
  run: ({ installation, probes, seed, progress }) => onBoard<ReturnType<Target['run']>>(subject, installation, (qemu) => {
    const pair = createPair(subject, qemu)
    const here = subject.deviations.filter((each) => applies(each, installation.series))
    const shown = here.map((deviation) => ({ deviation, ...reproduces(pair, deviation) }))
    const shownStale = reproduceStale(pair)
    const result = compare(subject, qemu, { probes, seed, ...(progress === undefined ? {} : { progress }) })
    const { difference } = result
    const driven = compareDriven(subject, qemu, Math.ceil(probes * DRIVEN_SHARE), seed)
    const stale = compareStale(subject, qemu, Math.ceil(probes * STALE_SHARE), seed)
    const listed = shown.map(({ deviation: { id, says }, shows, found, said }): Listed => ({
      id, says, shows, count: result.deviations.get(id) ?? 0,
      ...(shows || found === undefined || said === undefined ? {}
        : { instead: `the model says ${answerLine(said)}; QEMU says ${answerLine(found)}` }),
    }))
    const listedStale = shownStale.map(({ deviation: { id, says }, shows, found, allowed }): Listed => ({
      id, says, shows, count: stale.deviations.get(id) ?? 0,
      ...(shows ? {} : { instead: `hardware may say ${allowed.map(whereText).join(' or ')}; QEMU says ${whereText(found)}` }),
    }))
    const all = new Set([...subject.codes.keys(), ...result.codes.model.keys(), ...result.codes.qemu.keys()])
    return {
      target: subject.target,
      qemu: result.qemu,
      probes: result.probes,
      states: result.states,
      leaf: result.leaf,
      agreed: result.agreed,
      deviations: result.probes - result.agreed - (difference === undefined ? 0 : 1),
      disagreements: [difference, stale.wrong, driven.wrong].filter((each) => each !== undefined).length
        + [...listed, ...listedStale].filter(({ shows }) => !shows).length,
      classes: Object.fromEntries([...result.classes].sort(([, a], [, b]) => b - a)),
      codes: [...all].sort((left, right) => left - right).map((code): Code => ({
        code, meaning: subject.codes.get(code) ?? 'not a code of this mode by the specification',
        model: result.codes.model.get(code) ?? 0, qemu: result.codes.qemu.get(code) ?? 0,
      })),
      listed,
      driven,
      stale: {
        cases: stale.cases,
        kinds: [...stale.kinds].map(([name, each]) => ({ name, ...each })).sort((a, b) => a.name.localeCompare(b.name)),
        listed: listedStale,
        ...(stale.wrong === undefined ? {} : {
          wrong: { ...stale.wrong, found: whereText(stale.wrong.found), allowed: stale.wrong.allowed.map(whereText) },
        }),
      },
      ...(difference === undefined ? {} : { difference: {
        state: subject.describe(difference.plan),
        probes: difference.probes.map(probeLine),
        model: answerLine(difference.model),
        qemu: answerLine(difference.qemu),
        deviations: difference.deviations,
        walk: difference.steps.map(({ entry, address, words, note }) =>
          `${entry}${address === undefined ? '' : ` at ${hex(address)}`}: ${words.map(hex).join(' ')}  ${note}`),
        log: qemu.log().trimEnd().split('\n').at(-1) ?? '',
      } }),
    }
  }, (why) => ({ target: subject.target, unavailable: why })),
})

export const targets: readonly Target[] = [...vtdSubjects.map(target), target(amdSubject), ...armSubjects.map(target), ...riscvSubjects.map(target)]
