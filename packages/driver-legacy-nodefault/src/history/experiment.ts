// The experiment: DMA before the body and after it, and what the difference is called. No model is asked what it did.
import type { HardwareEvent } from '@iommu/hardware'
import { apply } from '../programming/apply.js'
import type { Step, StoreStep, WriteStep } from '../programming/steps.js'
import { entryAddress } from '../tables/shape.js'
import { storeWord } from '../tables/words.js'
import type { Effect, Place, Seen, Stage, Subject } from './subject.js'

export const DIRECTIONS = ['read', 'write'] as const

/** What one DMA may meet: all answers that caches leave open, sorted. */
export type Answers = readonly string[]

const hex = (value: bigint): string => `0x${value.toString(16)}`

const answersAt = ({ machine, source }: Stage, { address }: Place, access: 'read' | 'write'): Answers =>
  [...new Set(machine.outcomes({ source, kind: 'untranslated', address, access })
    .map((outcome) => (outcome.result === 'blocked' ? 'blocked' : hex(outcome.address))))].sort()

/** Every place, read and written. */
const look = (stage: Stage): Answers[] => stage.places.flatMap((place) => DIRECTIONS.map((access) => answersAt(stage, place, access)))

const every = (answers: readonly Answers[], expected: (index: number) => string): boolean =>
  answers.every((each, index) => each.length === 1 && each[0] === expected(index))

const same = (a: readonly Answers[], b: readonly Answers[]): boolean => a.every((each, index) => each.join() === b[index]?.join())

const placeOf = (stage: Stage, index: number): Place => stage.places[Math.floor(index / DIRECTIONS.length)] as Place

/** What all answers together are called. */
const nameOf = (stage: Stage, before: readonly Answers[], after: readonly Answers[]): Effect => {
  if (every(after, () => 'blocked')) return 'blocked'
  if (every(after, (index) => hex(placeOf(stage, index).address))) return 'identity'
  return same(before, after) ? 'none' : 'mixed'
}

/** The platform's table is told from a block by what comes next: its own API maps a page, and DMA reaches it. */
const orPlatform = (stage: Stage, effect: Effect): Effect => {
  if (effect !== 'blocked' || stage.platform === undefined) return effect
  const place = stage.platform()
  return answersAt(stage, place, 'read').every((answer) => answer !== 'blocked') ? 'platform' : effect
}

/** Who gets freed memory next writes there: here, the largest page that an entry can say, to a place that is nobody's. */
const SECRET = 0x0500_0000n

const reuse = ({ machine, table, places }: Stage, event: HardwareEvent, parts: ReturnType<NonNullable<Stage['table']>['parts']>): void => {
  if (event.kind !== 'free' || table === undefined) return
  const { shape } = table
  const part = parts.find(({ at }) => at === BigInt(event.frame) * 4096n)
  const level = part === undefined ? undefined : shape.levels[part.depth]
  const [page] = level?.pages ?? []
  if (part === undefined || level === undefined || page === undefined) return
  // Where walks of the tried places would look; the rest of the memory does not matter here.
  for (const at of new Set(places.map(({ address }) => entryAddress(shape, level, part.at, address)))) {
    storeWord(machine.memory, at, page.encode(SECRET, { read: true, write: true }), shape.form)
    machine.memory.writeBack(at, shape.form.bytes)
  }
}

const isSecret = (answer: string): boolean => answer !== 'blocked' && BigInt(answer) >= SECRET && BigInt(answer) < SECRET + 0x100_0000n

/** One run: `warm` where the device has been busy before. */
export interface Run {
  readonly effect: Effect
  readonly seen: Seen
}

/**
 * Carries steps out on a fresh stage. Freed memory is written by its next owner at once. `told` is called before the first
 * step and after each, with what every place then meets, read and written.
 */
export const runSteps = (
  subject: Subject, choose: (stage: Stage) => readonly Step[], warm: boolean,
  told?: (step: Step | undefined, answers: readonly Answers[], stage: Stage) => void,
): Run => {
  const stage = subject.build()
  const { machine, source, places } = stage
  const parts = stage.table?.parts() ?? []
  if (warm) {
    for (const { address } of places) for (const access of DIRECTIONS) machine.dma({ source, kind: 'untranslated', address, access })
  }
  const before = look(stage)
  told?.(undefined, before, stage)
  let throughFreed = false
  const frees: HardwareEvent[] = []
  const stop = machine.observe((event) => { if (event.kind === 'free') frees.push(event) })
  for (const step of choose(stage)) {
    apply(machine, [step])
    for (const event of frees.splice(0)) reuse(stage, event, parts)
    throughFreed ||= step.do !== 'remember' && look(stage).some((answers) => answers.some(isSecret))
    told?.(step, look(stage), stage)
  }
  stop()
  const after = look(stage)
  const oldPageReached = (after[0] ?? []).includes(hex(stage.physical))
  const effect = orPlatform(stage, nameOf(stage, before, after))
  return { effect, seen: { effect, throughFreed, oldPageReached } }
}

/** Cold and warm together: a verdict that caches change is mixed. */
export const effectOf = (subject: Subject, choose: (stage: Stage) => readonly Step[]): Effect => {
  const [cold, warm] = [runSteps(subject, choose, false).effect, runSteps(subject, choose, true).effect]
  return cold === warm ? cold : 'mixed'
}

export const bodyOf = ({ detach, later = [] }: Stage): readonly Step[] => [...detach, ...later]

/** One bit that the body writes, and the effect where it is written the other way. */
export interface Flip {
  readonly step: number
  readonly where: string
  readonly bit: number
  readonly effect: Effect
}

const isWritten = (step: Step): step is WriteStep | StoreStep => step.do === 'write' || step.do === 'store'
const nameOfStep = (step: WriteStep | StoreStep): string => (step.do === 'write' ? step.register : step.entry)
const widthOf = (step: WriteStep | StoreStep): number => (step.do === 'write' ? 32 : step.form.bytes * 8)

/** The name of the field that a bit belongs to, where the step has a layout. */
export const fieldAt = (step: WriteStep | StoreStep, bit: number): string | undefined =>
  Object.entries((step.do === 'write' ? step.layout : step.place?.layout)?.fields ?? {}).find(([, { runs }]) => runs.some(([high, low]) => {
    const at = bit + (step.do === 'write' || step.place === undefined ? 0 : step.place.index * step.place.layout.wordBits)
    return at <= high && at >= low
  }))?.[0]

/** Every bit that the body writes, written the other way, one at a time. */
export const flipsOf = (subject: Subject): Flip[] => {
  const steps = bodyOf(subject.build())
  return steps.flatMap((step, index) => {
    if (!isWritten(step)) return []
    const mask = step.mask ?? -1n
    const bits = Array.from({ length: widthOf(step) }, (_, bit) => bit).filter((bit) => ((mask >> BigInt(bit)) & 1n) === 1n)
    return bits.map((bit) => ({
      step: index, where: nameOfStep(step), bit,
      effect: effectOf(subject, (stage) => bodyOf(stage).map((each, at) =>
        (at === index && isWritten(each) ? { ...each, value: each.value ^ (1n << BigInt(bit)) } : each))),
    }))
  })
}
