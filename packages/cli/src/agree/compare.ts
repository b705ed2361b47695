// Compares a model with QEMU: state after state, probe after probe, until enough have been made or one differs.
import type { Step } from '@iommu/hardware'
import { QemuError, startQemu } from '@iommu/machine-qemu'
import type { Board, Installation, Qemu, QemuMachine } from '@iommu/machine-qemu'
import { createRandom } from './random.js'
import { answerLine, ask, askQemu } from './subject.js'
import type { Answer, Deviation, Model, Probe, Seen, Subject } from './subject.js'

/** A probe to which model and QEMU gave different answers, and no listed deviation says so. */
export interface Difference<Plan> {
  readonly plan: Plan
  /** Probes made in this state; the last one differs. */
  readonly probes: readonly Probe[]
  readonly model: Answer
  readonly qemu: Answer
  /** Listed deviations that were taken to apply. */
  readonly deviations: readonly string[]
  readonly steps: readonly Step[]
}

export interface Comparison<Plan> {
  readonly target: string
  readonly qemu: string
  readonly probes: number
  readonly states: number
  readonly agreed: number
  /** Probes that met a listed deviation, by its id. */
  readonly deviations: ReadonlyMap<string, number>
  /** Probes by the class of their state. */
  readonly classes: ReadonlyMap<string, number>
  /** Probes that were let through, or reached a leaf that refused them, in the model. */
  readonly leaf: number
  /** How often the model recorded each code, and how often QEMU did. */
  readonly codes: { readonly model: ReadonlyMap<number, number>; readonly qemu: ReadonlyMap<number, number> }
  readonly difference?: Difference<Plan>
}

interface Plans {
  readonly class: string
}

/** Model and QEMU side by side. */
export interface Pair<Plan extends Plans> {
  readonly subject: Subject<Plan>
  readonly machine: QemuMachine
  readonly model: Model
  /** A second model, for states other than the one at hand. */
  readonly other: Model
  readonly series: string
}

/** What comes of a QEMU that is a subject's board, which ends then; or of the sentence that says why it cannot be. */
export const onBoard = <T>(
  { board, sources }: Pick<Subject<never>, 'board' | 'sources'>, installation: Installation, run: (qemu: Qemu) => T, otherwise: (why: string) => T,
): T => {
  let qemu
  try {
    qemu = startQemu({ board, installation, devices: sources })
  } catch (error) {
    if (error instanceof QemuError) return otherwise(error.message)
    throw error
  }
  try {
    return run(qemu)
  } finally {
    qemu.stop()
  }
}

export const createPair = <Plan extends Plans>(subject: Subject<Plan>, qemu: Qemu): Pair<Plan> => {
  const machine = qemu.machine()
  return { subject, machine, model: subject.createModel(machine), other: subject.createModel(machine), series: qemu.installation.series }
}

/** Where nothing of the platform answers, a DMA that was let through comes to nothing, and nobody records it. */
export const onPlatform = (where: Answer['where'], { ram }: Board): Answer['where'] =>
  (where !== 'blocked' && ram.some(({ start, bytes }) => where >= start && where < start + bytes) ? where : 'blocked')

/** Series whose deviations are listed, the newest first. */
const LISTED = ['11.1', '10.0', '7.2'] as const

const numbers = (series: string): readonly number[] => series.split('.').map(Number)

/** Another series is taken for the newest listed one that is not above it. */
const listedAs = (series: string): string => {
  const [major = 0, minor = 0] = numbers(series)
  return LISTED.find((each) => {
    const [above = 0, below = 0] = numbers(each)
    return major > above || (major === above && minor >= below)
  }) ?? series
}

/** Whether what is said of some series is said of this one. */
export const applies = ({ series }: { readonly series?: readonly string[] }, to: string): boolean =>
  series === undefined || series.includes(listedAs(to))

interface Compared<Plan> {
  readonly leaf: boolean
  readonly difference?: Difference<Plan>
  readonly model: Answer
  readonly qemu: Answer
  readonly deviations: readonly string[]
}

/** One probe of a state that both are in, after others. */
const compareProbe = <Plan extends Plans>(
  { subject, machine, model, other, series }: Pair<Plan>, plan: Plan, before: readonly Probe[], probe: Probe,
): Compared<Plan> => {
  const { board, lens } = subject
  const look = (of: Model, asked: Probe): Pick<Seen<Plan>, 'answer' | 'steps'> => {
    const { steps } = of.walk({ ...asked, kind: 'untranslated' })
    return { steps, answer: ask(of, board, asked) }
  }
  const asIf = (instead: Plan, asked = probe): Pick<Seen<Plan>, 'answer' | 'steps'> => {
    subject.install(other, instead)
    return look(other, asked)
  }
  const said = look(model, probe)
  let seen: Seen<Plan> = {
    plan, original: plan, probe, before, ...said,
    asIf: (instead, asked) => asIf(instead, asked).answer,
  }
  const deviating: string[] = []
  for (const deviation of subject.deviations) {
    if (!applies(deviation, series)) continue
    const instead = deviation.instead?.(seen)
    const answer = deviation.answer?.(seen)
    const next = instead !== undefined ? { ...seen, plan: instead, ...asIf(instead) }
      : answer !== undefined ? { ...seen, answer } : seen
    // What is overlooked may make no difference here, and one below.
    if (answerLine(next.answer) !== answerLine(seen.answer)) deviating.push(deviation.id)
    seen = next
  }
  const alone: Answer = { ...seen.answer, where: onPlatform(seen.answer.where, board) }
  const expected = lens === undefined ? alone : lens.shows(alone)
  const found = askQemu(machine, subject, probe)
  const leaf = said.answer.where !== 'blocked' || said.steps.at(-1)?.note.endsWith('leaf') === true
  const result = { leaf, model: said.answer, qemu: found, deviations: deviating }
  if (answerLine(found) === answerLine(expected)) return result
  return { ...result, difference: { plan, probes: [...before, probe], steps: said.steps, ...result } }
}

/** A state and its probes, until one differs. */
const compareState = <Plan extends Plans>(
  pair: Pair<Plan>, plan: Plan, probes: readonly Probe[], look?: (compared: Compared<Plan>) => void,
): Compared<Plan> | undefined => {
  pair.subject.install(pair.model, plan)
  // Frames that the tables of earlier states named are no places for this one's DMA.
  pair.machine.memory.named.clear()
  pair.subject.install(pair.machine, plan)
  const before: Probe[] = []
  let last: Compared<Plan> | undefined
  for (const probe of probes) {
    last = compareProbe(pair, plan, before, probe)
    look?.(last)
    if (last.difference !== undefined) return last
    if (last.qemu.where !== 'blocked') before.push(probe)
  }
  return last
}

const differs = <Plan extends Plans>(pair: Pair<Plan>, plan: Plan, probes: readonly Probe[]): Difference<Plan> | undefined =>
  compareState(pair, plan, probes)?.difference

const fewer = function* <Plan extends Plans>(
  subject: Subject<Plan>, { plan, probes }: Difference<Plan>,
): Generator<readonly [Plan, readonly Probe[]]> {
  for (let index = 0; index < probes.length - 1; index++) yield [plan, probes.filter((_, at) => at !== index)]
  for (const less of subject.smaller(plan)) yield [less, probes]
}

/** The smallest plan found in which the last probe still differs. */
const shrink = <Plan extends Plans>(pair: Pair<Plan>, first: Difference<Plan>): Difference<Plan> => {
  let smallest = first
  for (;;) {
    let next: Difference<Plan> | undefined
    for (const [plan, probes] of fewer(pair.subject, smallest)) {
      next = differs(pair, plan, probes)
      if (next !== undefined) break
    }
    if (next === undefined) return smallest
    smallest = next
  }
}

const count = <K>(map: Map<K, number>, key: K): void => void map.set(key, (map.get(key) ?? 0) + 1)

export interface CompareOptions {
  readonly probes: number
  readonly seed: number
  /** Told of progress now and then. */
  readonly progress?: (done: number) => void
}

/** Compares until so many probes have been made, or one differs. */
export const compare = <Plan extends Plans>(subject: Subject<Plan>, qemu: Qemu, { probes, seed, progress }: CompareOptions): Comparison<Plan> => {
  const random = createRandom(seed, subject.target)
  const pair = createPair(subject, qemu)
  const [deviations, classes] = [new Map<string, number>(), new Map<string, number>()]
  const codes = { model: new Map<number, number>(), qemu: new Map<number, number>() }
  let [done, states, agreed, leaf] = [0, 0, 0, 0]
  let difference: Difference<Plan> | undefined
  while (done < probes && difference === undefined) {
    const plan = subject.generate(random, states)
    const made = subject.probes(random, plan).slice(0, probes - done)
    states++
    const last = compareState(pair, plan, made, (compared) => {
      done++
      count(classes, plan.class)
      for (const side of ['model', 'qemu'] as const) for (const { code } of compared[side].records) count(codes[side], code)
      if (compared.leaf) leaf++
      for (const id of compared.deviations) count(deviations, id)
      if (compared.difference === undefined && compared.deviations.length === 0) agreed++
    })
    if (last?.difference !== undefined) difference = shrink(pair, last.difference)
    if (states % 50 === 0) progress?.(done)
  }
  return {
    target: subject.target, qemu: qemu.installation.version, probes: done, states, agreed, deviations, classes, leaf, codes,
    ...(difference === undefined ? {} : { difference }),
  }
}

/** Whether the reproduction of a deviation shows what the list says: QEMU's answer as listed, and not the model's. */
export const reproduces = <Plan extends Plans>(
  pair: Pair<Plan>, deviation: Deviation<Plan>,
): { readonly shows: boolean; readonly found: Answer | undefined; readonly said: Answer | undefined } => {
  const { plan, probes } = deviation.reproduce()
  const last = compareState(pair, plan, probes)
  const shows = last !== undefined && last.difference === undefined && last.deviations.includes(deviation.id)
  return { shows, found: last?.qemu, said: last?.model }
}
