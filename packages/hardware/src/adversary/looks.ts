// Looks: everything that a request may meet, worked out again only where something that it asked for has another answer.
import type { DmaRequest, Outcome, Translated } from '../dma.js'
import { outcomeKey } from '../dma.js'
import { explore } from '../explore.js'
import type { Choose } from '../explore.js'
import { placeKey } from './entries.js'
import type { Copy, EntryCaches } from './entries.js'
import type { Sight } from './face.js'
import type { History } from './history.js'
import type { MaySet } from './may-set.js'
import { questionKey } from './translations.js'
import type { Translations } from './translations.js'
import type { EntryAsk, Held, Look, TranslationAsk, TranslationTag, Vendor } from './vendor.js'

/** What one exploration came by. */
export interface Trail<V, P> {
  /** The last question of each, by `placeKey` and `questionKey`, in the order in which they were first asked. */
  readonly entries: Map<string, EntryAsk<unknown>>
  readonly translations: Map<string, TranslationAsk<V, P>>
  /** What the device's own TLB learns, by its key; its origin is the moment at which it does. */
  readonly devices: Map<string, Omit<Held<Translated>, 'origin'>>
}

/** What a request may meet, by `outcomeKey`. */
export interface Explored<V, P> {
  readonly outcomes: ReadonlyMap<string, Outcome>
  readonly trail: Trail<V, P>
}

export interface Looks<V, P> {
  /** Everything that a request may meet. It is the same object for as long as nothing of it can have changed. */
  flight(request: DmaRequest): Explored<V, P>
  /** What one meets that begins now. */
  next(request: DmaRequest): readonly Outcome[]
  /** Without caches: one outcome. */
  memory(request: DmaRequest): Explored<V, P> & { readonly outcome: Outcome }
  /** Rises when settings of hardware or of endpoints change, and with them what requests ask. */
  era(): number
  /** A feature of an endpoint has been switched. */
  reconfigured(): void
}

const frameOf = (address: bigint): number => Number(address >> 12n)

const newTrail = <V, P>(): Trail<V, P> => ({ entries: new Map(), translations: new Map(), devices: new Map() })

/** Rule 10: the tag under which a device keeps translations, with its source for a domain. */
const deviceTag = ({ source, pasid = 0 }: DmaRequest): TranslationTag => ({ space: 'device', domain: source, pasid })

/** What a device keeps of an answer to a translation request. */
export const deviceHeld = (request: DmaRequest, outcome: Translated): Omit<Held<Translated>, 'origin'> => {
  const offset = request.address & (outcome.pageSize - 1n)
  const first = frameOf(request.address - offset)
  const value = { ...outcome, address: outcome.address - offset }
  return { tag: deviceTag(request), kind: 'leaf', key: outcomeKey(value), value, first, last: first + Number(outcome.pageSize >> 12n) - 1 }
}

export const createLooks = <V, P>(
  vendor: Vendor<V, P>, history: History, entries: EntryCaches, translations: Translations<V, P>, devices: MaySet<Translated>,
): Looks<V, P> => {
  let settings = vendor.settings()
  let era = 0
  const eraNow = (): number => {
    const now = vendor.settings()
    if (now.length !== settings.length || now.some((each, index) => each !== settings[index])) {
      settings = now
      era++
    }
    return era
  }
  const answer = (request: DmaRequest, choose: Choose, look: Look<V, P>, trail: Trail<V, P>, kept: readonly Held<Translated>[]): Outcome => {
    const held = request.kind === 'translate' ? kept[choose(1 + kept.length) - 1] : undefined
    if (held !== undefined) return { ...held.value, address: held.value.address + (request.address & (held.value.pageSize - 1n)) }
    const outcome = vendor.translate(request, look)
    if (request.kind === 'translate' && outcome.result === 'translated' && vendor.hasDeviceTlb(request.source)) {
      const learnt = deviceHeld(request, outcome)
      trail.devices.set(`${learnt.first}-${learnt.last} ${learnt.key}`, learnt)
    }
    return outcome
  }
  const keptBy = (request: DmaRequest): readonly Held<Translated>[] =>
    (request.kind === 'translate' ? devices.at(deviceTag(request), 'leaf', frameOf(request.address)) : [])

  const copiesFor = (ask: EntryAsk<unknown>, sight: Exclude<Sight, 'memory'>): readonly Copy[] => (sight === 'flight' ? entries.copies(ask, 'window')
    : [...new Map([...entries.copies(ask, 'fresh'), ...entries.copies(ask, 'kept')].map((each) => [each.fetched.key, each])).values()])

  /** All answers to a request, and for each question that it asks whether it still has the answer that it had. */
  const exploreAll = (request: DmaRequest, sight: Exclude<Sight, 'memory'>): Explored<V, P> & { readonly still: readonly (() => boolean)[] } => {
    const trail = newTrail<V, P>()
    const kept = keptBy(request)
    const tag = deviceTag(request)
    const stamp = devices.stampOf(tag)
    const still = [() => request.kind !== 'translate' || devices.stampOf(tag) === stamp]
    const copies = new Map<string, readonly Copy[]>()
    const values = new Map<string, readonly V[]>()
    const answers = explore((choose) => answer(request, choose, {
      entry<C>(ask: EntryAsk<C>): C {
        const key = placeKey(ask)
        trail.entries.set(key, ask)
        let list = copies.get(key)
        if (list === undefined) {
          const found = copiesFor(ask, sight)
          copies.set(key, (list = found))
          still.push(() => entries.copies(ask, 'window') === found)
        }
        return (list[choose(list.length)] as Copy).fetched.value as C
      },
      translation(ask) {
        const key = questionKey(ask)
        trail.translations.set(key, ask)
        let list = values.get(key)
        if (list === undefined) {
          const found = translations.values(ask)
          values.set(key, (list = found))
          still.push(() => translations.values(ask) === found)
        }
        return list[choose(list.length)] as V
      },
    }, trail, kept), outcomeKey)
    return { outcomes: new Map(answers.map((outcome) => [outcomeKey(outcome), outcome])), trail, still }
  }

  const flights = new WeakMap<DmaRequest, ReturnType<typeof exploreAll> & { readonly era: number }>()
  const atMemory = new WeakMap<DmaRequest, ReturnType<Looks<V, P>['memory']> & { readonly era: number; readonly stamp: number }>()

  return {
    era: eraNow,
    reconfigured() { era++ },
    flight(request) {
      const old = flights.get(request)
      // The questions are asked again in the order in which they were: up to the first that has another answer they would be the same.
      if (old?.era === eraNow() && old.still.every((each) => each())) return old
      const found = { ...exploreAll(request, 'flight'), era }
      flights.set(request, found)
      return found
    },
    next: (request) => [...exploreAll(request, 'next').outcomes.values()],
    memory(request) {
      const old = atMemory.get(request)
      const { stamp } = history
      if (old?.era === eraNow() && old.stamp === stamp) return old
      const trail = newTrail<V, P>()
      const outcome = vendor.translate(request, {
        entry<C>(ask: EntryAsk<C>): C {
          trail.entries.set(placeKey(ask), ask)
          return entries.memory(ask).fetched.value as C
        },
        translation(ask) {
          trail.translations.set(questionKey(ask), ask)
          return translations.memory(ask).walked.value
        },
      })
      const found = { outcome, outcomes: new Map([[outcomeKey(outcome), outcome]]), trail, era, stamp }
      atMemory.set(request, found)
      return found
    },
  }
}
