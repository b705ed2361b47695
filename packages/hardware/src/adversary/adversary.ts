// Adversarial mode: watches a machine's driver, and says at every step everything that a DMA could meet.
import type { DmaRequest, Outcome, Translated } from '../dma.js'
import { outcomeKey, outcomeText } from '../dma.js'
import { classify, heldKey } from './classify.js'
import { createCommands } from './commands.js'
import { createEntryCaches } from './entries.js'
import type { Cost } from './entries.js'
import { describeStep } from './findings.js'
import type { Finding, Sentence } from './findings.js'
import { createHistory } from './history.js'
import { createLooks, deviceHeld } from './looks.js'
import { createMaySet, tagKey } from './may-set.js'
import { givenBack } from './marks.js'
import type { Given } from './marks.js'
import type { Adversary, AdversaryOptions, WatchedMachine } from './face.js'
import { createTranslations } from './translations.js'
import type { TranslationAsk, Vendor } from './vendor.js'

/** Watches from now on. The vendor says what the hardware is; see vendor.ts. */
export const createAdversary = <V, P>(machine: WatchedMachine, vendor: Vendor<V, P>, options: AdversaryOptions = {}): Adversary => {
  const cost: Cost = { copies: 0, observations: 0, memoHits: 0, memoMisses: 0 }
  const history = createHistory(machine.memory, options.stores ?? (machine.memory.coherent ? 'prompt' : 'write-back'))
  const entries = createEntryCaches(history, cost)
  const translations = createTranslations<V, P>(history, cost)
  /** Rule 10: one more may-set below; the tag's domain is the source. */
  const devices = createMaySet<Translated>()
  const looks = createLooks(vendor, history, entries, translations, devices)
  const commands = createCommands(options.queue ?? 'vendor', (earlier, later) => vendor.ordered(earlier, later), (drop, issue) => {
    entries.drop(drop, issue)
    translations.leaves.drop(drop.translation, issue)
    translations.tables.drop(drop.translation, issue)
    devices.drop(drop.device, issue)
  })
  const probes: DmaRequest[] = [...(options.probes ?? [])]
  /** Outcomes met during the change at hand, by probe, with the step. */
  let met: Map<string, { readonly outcome: Outcome; readonly step: string }>[] | undefined
  /** Commands of the change at hand, each with the domains given back after it. */
  let judged: { readonly judge: ReturnType<typeof classify>; readonly released: ((tag: Given) => boolean)[] }[] = []
  let freed: Finding[] = []

  /** Rule 12: caches learn everything that they can; when there is nothing left to learn the outcomes count. */
  const observe = (step: string): void => {
    cost.observations++
    for (;;) {
      const seen = probes.map((probe) => looks.flight(probe))
      const asked = {
        entries: new Map(seen.flatMap(({ trail }) => [...trail.entries])),
        translations: new Map(seen.flatMap(({ trail }) => [...trail.translations])),
      }
      let more = false
      for (const ask of asked.entries.values()) more = entries.reach(ask) || more
      for (const ask of asked.translations.values()) more = translations.fill(ask) || more
      for (const { trail } of seen) for (const learnt of trail.devices.values()) more = devices.add({ ...learnt, origin: history.now }) || more
      if (more) continue
      entries.close(asked.entries)
      translations.keepOnly(asked.translations)
      seen.forEach(({ outcomes }, index) => {
        for (const [key, outcome] of outcomes) {
          if (met?.[index]?.has(key) === false) met[index].set(key, { outcome, step })
        }
      })
      history.forget(entries.floor())
      return
    }
  }
  /** What a fresh walk of every probe would leave in caches; the same until memory or a setting changes. */
  let fresh: { readonly keys: ReadonlySet<string>; readonly stamp: number; readonly era: number; readonly probes: number } | undefined
  const freshKeys = (): ReadonlySet<string> => {
    const era = looks.era()
    const { stamp } = history
    if (fresh?.stamp === stamp && fresh.era === era && fresh.probes === probes.length) return fresh.keys
    const keys = new Set<string>()
    const asked = new Map<string, TranslationAsk<V, P>>()
    for (const probe of probes) {
      const { outcome, trail } = looks.memory(probe)
      for (const [key, ask] of trail.translations) asked.set(key, ask)
      if (probe.kind === 'translate' && outcome.result === 'translated') keys.add(heldKey(deviceHeld(probe, outcome)))
    }
    for (const ask of asked.values()) {
      const { walked, reached } = translations.memory(ask)
      keys.add(heldKey({ tag: ask.tag, kind: 'leaf', ...walked }))
      for (const pointer of reached) keys.add(heldKey({ tag: ask.tag, kind: 'table', ...pointer }))
    }
    fresh = { keys, stamp, era, probes: probes.length }
    return keys
  }
  const classifyNow = (command: Parameters<typeof classify>[0]): void => {
    const keys = freshKeys()
    const judge = classify(command, {
      entries: entries.kept(),
      translations: [...translations.leaves.all(), ...translations.tables.all()],
      devices: devices.all(),
      isCurrent: (copy) => entries.isCurrent(copy),
      isFresh: (held) => keys.has(heldKey(held)),
    })
    judged.push({ judge, released: [] })
  }
  const finding = (sentence: Sentence, step: string, says: string): Finding => ({ sentence, step, says })
  const heldPages = (step: string, frame: number, count: number): Finding[] => {
    const inside = (page: number | undefined): boolean => page !== undefined && page >= frame && page < frame + count
    return [
      ...entries.kept().filter(({ fetched }) => fetched.names.some(inside))
        .map(({ fetched }) => finding('free', step, `a kept copy still names the page: ${fetched.key}`)),
      ...translations.tables.all().filter(({ page }) => inside(page))
        .map(({ tag, key }) => finding('free', step, `a kept pointer under ${tagKey(tag)} still leads to the page: ${key}`)),
    ]
  }

  /** Steps that touch nothing on a probed path change no outcome. */
  const touchesPath = (changed: readonly number[]): boolean =>
    changed.some((word) => entries.restsOn(word) || translations.restsOn(word))

  const stop = machine.observe((event) => {
    history.tick()
    const changed = history.record(event)
    if (event.kind === 'free') freed.push(...heldPages(describeStep(event), event.frame, event.count))
    if (event.kind === 'config') looks.reconfigured()
    // Switching ATS off empties the device's TLB.
    if (event.kind === 'config' && event.feature === 'ats' && !event.on) devices.drop(({ tag }) => tag.domain === event.source, Infinity)
    const elsewhere = 'unit' in event && event.unit !== machine.unit
    const command = elsewhere ? undefined : vendor.command(event)
    if (command !== undefined) {
      if (command.drop !== undefined) classifyNow(command)
      commands.issue(command, history.now)
      if (command.completes) commands.complete()
    }
    if (command !== undefined || event.kind === 'config' || touchesPath(changed)) observe(describeStep(event))
  })
  observe('start')

  return {
    cost,
    track(...requests) {
      probes.push(...requests)
      observe('start')
    },
    outcomes(request, sight = 'flight') {
      return sight === 'next' ? looks.next(request) : [...looks[sight](request).outcomes.values()]
    },
    watch(run, { hitless = false } = {}) {
      // Caches know the state before, and no DMA from before that state is left: it would be blocked in no switch's name.
      observe('before')
      history.tick()
      entries.land()
      const from = probes.map((probe) => looks.memory(probe).outcome)
      met = probes.map(() => new Map())
      judged = []
      freed = []
      try {
        observe('before')
        run()
      } catch (error) {
        met = undefined
        throw error
      }
      // Who starts a DMA now has ordered his stores before the device's doorbell; writing back is not part of that.
      if (history.stores === 'order' && history.settle().length > 0) observe('the doorbell')
      const to = probes.map((probe) => looks.memory(probe).outcome)
      const seen = met
      met = undefined
      const interrupted = probes.filter((_, index) =>
        seen[index]?.has('blocked') === true && from[index]?.result !== 'blocked' && to[index]?.result !== 'blocked')
      const report = (sentence: Sentence, index: number, outcome: Outcome, step: string, allowed: readonly (Outcome | undefined)[]): Finding => ({
        sentence, step, outcome, probe: probes[index] as DmaRequest,
        says: `${outcomeText(outcome)}, and not ${[...new Set(allowed.map((each) => outcomeText(each as Outcome)))].join(' or ')}`,
      })
      const during = probes.flatMap((_, index) => {
        const allowed = new Set([...(hitless ? [] : ['blocked']), outcomeKey(from[index] as Outcome), outcomeKey(to[index] as Outcome)])
        return [...(seen[index] ?? [])].filter(([key]) => !allowed.has(key))
          .map(([, { outcome, step }]) => report('during', index, outcome, step, [from[index], to[index]]))
      })
      const after = probes.flatMap((probe, index) => looks.next(probe)
        .filter((outcome) => outcomeKey(outcome) !== outcomeKey(to[index] as Outcome))
        .map((outcome) => report('after', index, outcome, 'return', [to[index]])))
      const free = freed
      freed = []
      return { during, after, free, probes: [...probes], from, to, interrupted }
    },
    marks(...requests) {
      const trails = requests.map((request) => looks.memory(request).trail)
      return {
        // The last entry on the way: those before it lead elsewhere too.
        entries: trails.flatMap((trail) => [...trail.entries.values()].slice(-1))
          .map((ask) => entries.memory(ask).fetched.tag).filter(({ absent }) => !absent),
        translations: trails.flatMap((trail) => [...trail.translations.values()].map(({ tag }) => tag)),
      }
    },
    release(given) {
      const { hasEntry, hasTranslation, has } = givenBack(given)
      for (const { released } of judged) released.push(has)
      const live = new Set(probes.flatMap((probe) => [...looks.memory(probe).trail.translations.values()].map(({ tag }) => tagKey(tag))))
      return [
        ...entries.kept().filter((copy) => hasEntry(copy.fetched.tag) && !entries.isCurrent(copy))
          .map(({ fetched }) => finding('free', 'release', `a kept copy still names domain ${fetched.tag.domain}: ${fetched.key}`)),
        ...[...translations.leaves.all(), ...translations.tables.all()]
          .filter(({ tag }) => hasTranslation(tag) && !live.has(tagKey(tag)))
          .map(({ tag, kind, key }) => finding('free', 'release', `a kept ${kind} under ${tagKey(tag)}: ${key}`)),
      ]
    },
    freedPages() {
      const found = freed
      freed = []
      return found
    },
    atRest: () => entries.kept().filter((copy) => !entries.isCurrent(copy))
      .map(({ fetched }) => finding('rest', 'rest', `a kept copy differs from memory: ${fetched.key}`)),
    domains: () => new Set(entries.kept().filter(({ fetched }) => !fetched.tag.absent).map(({ fetched }) => fetched.tag.domain)),
    invalidations: () => judged.map(({ judge, released }) => judge((tag) => released.some((each) => each(tag)))),
    stop,
  }
}
