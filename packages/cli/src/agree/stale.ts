// Caches that were not told: what QEMU answers then must be among everything that hardware may answer.
import type { Outcome } from '@iommu/hardware'
import type { Qemu } from '@iommu/machine-qemu'
import { applies, createPair, onPlatform } from './compare.js'
import type { Pair } from './compare.js'
import { loadFrames } from './ground.js'
import { createRandom } from './random.js'
import { ask } from './subject.js'
import type { Answer, StaleCase, StaleDeviation, StaleSubject, Subject, Target } from './subject.js'

type Where = Answer['where']

/** How often QEMU gave the old answer, how often the new one, and in how many cases these are the same. */
export interface Answered {
  readonly old: number
  readonly fresh: number
  readonly same: number
}

/** What came of many cases. */
export interface StaleResult {
  readonly cases: number
  /** By what was changed and left out. */
  readonly kinds: ReadonlyMap<string, Answered>
  /** Cases that met a listed deviation, by its id. */
  readonly deviations: ReadonlyMap<string, number>
  /** A case in which QEMU gave an answer that hardware must not give, or did not give the one that is listed. */
  readonly wrong?: { readonly name: string; readonly state: readonly string[]; readonly found: Where; readonly allowed: readonly Where[] }
}

const whereOf = (outcome: Outcome): Where => (outcome.result === 'translated' ? outcome.address : 'blocked')

const change = <Plan>(machine: Target, { stores }: StaleCase<Plan>): void => {
  for (const [address, word] of stores) machine.memory.store64(address, word)
  machine.memory.order()
  // Walkers that do not snoop see what was written back.
  for (const [address] of stores) machine.memory.writeBack(address, 8)
}

/** What a case came to: the answer before the change, QEMU's at the end, and all that hardware may give. */
interface Tried {
  readonly before: Where
  readonly found: Where
  readonly allowed: readonly Where[]
}

const tryOne = <Plan extends { readonly class: string }>(
  { subject, machine, model }: Pair<Plan>, stale: StaleSubject<Plan>, each: StaleCase<Plan>,
): Tried => {
  const { board } = subject
  for (const target of [model, machine]) {
    loadFrames(target.memory, each.spare)
    subject.install(target, each.plan)
  }
  const request = { ...each.probe, kind: 'untranslated' } as const
  const adversary = stale.createAdversary(model)
  adversary.track(request)
  // Warm: what is asked at the end has been asked before.
  const before = ask(machine, board, each.probe).where
  for (const target of [model, machine]) {
    change(target, each)
    stale.submit(target, each.plan, each.commands)
  }
  const allowed = [...new Set(adversary.outcomes(request, 'next').map((outcome) => onPlatform(whereOf(outcome), board)))]
  adversary.stop()
  return { before, found: ask(machine, board, each.probe).where, allowed }
}

/** The smallest case of a listed deviation, tried. It shows where QEMU gives the old answer, which hardware must not give. */
export interface TriedStale<Plan> extends Tried {
  readonly deviation: StaleDeviation<Plan>
  readonly shows: boolean
}

/** Tries every deviation that this QEMU is said to have. */
export const reproduceStale = <Plan extends { readonly class: string }>(pair: Pair<Plan>): readonly TriedStale<Plan>[] => {
  const { subject: { stale }, machine, series } = pair
  if (stale === undefined) return []
  return stale.deviations.filter((each) => applies(each, series)).map((deviation) => {
    machine.memory.named.clear()
    const tried = tryOne(pair, stale, deviation.reproduce())
    return { deviation, ...tried, shows: tried.found === tried.before && !tried.allowed.includes(tried.found) }
  })
}

/** Nothing is tried of a subject without cases. */
export const compareStale = <Plan extends { readonly class: string }>(
  subject: Subject<Plan>, qemu: Qemu, cases: number, seed: number,
): StaleResult => {
  const { stale } = subject
  if (stale === undefined) return { cases: 0, kinds: new Map(), deviations: new Map() }
  const random = createRandom(seed, `${subject.target} stale`)
  const pair = createPair(subject, qemu)
  const kinds = new Map<string, Answered>()
  const deviations = new Map<string, number>()
  const listed = stale.deviations.filter((each) => applies(each, pair.series))
  for (let done = 0; done < cases; done++) {
    const each = stale.generate(random)
    pair.machine.memory.named.clear()
    const { before, found, allowed } = tryOne(pair, stale, each)
    const { old, fresh, same } = kinds.get(each.name) ?? { old: 0, fresh: 0, same: 0 }
    // Hardware that may give the old answer alone has not been changed so that this request would notice.
    const unchanged = allowed.every((where) => where === before)
    kinds.set(each.name, unchanged ? { old, fresh, same: same + 1 }
      : found === before ? { old: old + 1, fresh, same } : { old, fresh: fresh + 1, same })
    const deviation = listed.find(({ cases: meets }) => meets(each.name))
    const expected = deviation === undefined ? allowed : [before]
    if (deviation !== undefined) deviations.set(deviation.id, (deviations.get(deviation.id) ?? 0) + 1)
    if (expected.includes(found)) continue
    return { cases: done + 1, kinds, deviations, wrong: { name: each.name, state: subject.describe(each.plan), found, allowed: expected } }
  }
  return { cases, kinds, deviations }
}
