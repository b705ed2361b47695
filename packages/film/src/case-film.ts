// The film of a case: what a statement's own case does with a broken driver or core layer, from where it goes another way than with the
// whole one, taken from the suite's own run.
import { runStatement } from '@iommu/conformance'
import type { Backend, CreateCore, Statement } from '@iommu/conformance'
import type { DmaRequest, HardwareEvent, Outcome, StoreEvent } from '@iommu/hardware'
import { outcomeKey } from '@iommu/hardware'
import { hex } from '@iommu/inspect'
import type { Exposure } from './camera.js'
import { develop, meeting } from './develop.js'
import type { FilmedProbe, Frame } from './film.js'
import { createRecorder } from './recorder.js'
import type { Moment, Recorded, Recorder } from './recorder.js'
import { sourceText } from './spoken.js'

/** What a case runs on. */
export interface CaseSubject {
  readonly backend: Backend
  /** The core layer; the whole one where absent. */
  readonly createCore?: CreateCore
}

/** One thing that a case does; a call of the driver with all that hardware saw of it. */
export interface Act {
  readonly kind: Moment['kind']
  readonly text: string
  readonly answer: string
  readonly probes: readonly FilmedProbe[]
  readonly frames: readonly Frame[]
}

/** A stretch of a case. */
export interface Scenes {
  /** Acts before the first one that is shown. */
  readonly before: number
  readonly acts: readonly Act[]
  /** The first act that goes another way. */
  readonly differs: number
  /** Acts left out between, by the index of the act that follows them. */
  readonly gap?: { readonly at: number; readonly count: number }
}

/** The `iommu.case/1` object. */
export interface CaseFilm {
  readonly schema: 'iommu.case/1'
  readonly driver: string
  readonly backend: string
  readonly statement: string
  /** What the suite says. */
  readonly reason: string
  /** The case up to where it failed. */
  readonly wrong: Scenes
  /** The same stretch with driver and core layer as they are. */
  readonly right: Scenes
}

/** Acts shown before the first that differs, and from it on. */
const CONTEXT = 5
const SHOWN = 9
/** Of what is shown from the first difference on, how much is its end. */
const ENDING = 4
const MOST_PROBES = 3
const MOST_WALKS = 8

/** What hardware sees. */
const FILMED: ReadonlySet<Moment['kind'] | undefined> = new Set(['call', 'process'])

const keyOf = ({ kind, text, answer, events }: Moment): string => [kind, text, answer, ...events].join('\n')

/** The first moment that is another one, or is missing; undefined where the case asks and gets the same to its end. */
const firstDifference = (wrong: readonly Moment[], right: readonly Moment[]): number | undefined => {
  const found = wrong.findIndex((each, index) => right[index] === undefined || keyOf(each) !== keyOf(right[index]))
  if (found >= 0) return found
  // A case that has failed goes no further: only what the core layer does after the same beginning is missing.
  const { within } = right[wrong.length] ?? {}
  return within !== undefined && right.indexOf(within) < wrong.length ? wrong.length : undefined
}

/** The DMA that a film tries: the last that the case asked about, one for each device and PASID; else what its domains were set on last. */
const requestsOf = ({ requests, points }: Recorded): DmaRequest[] => {
  const found = new Map<string, DmaRequest>()
  for (const request of [...(requests.length > 0 ? requests : points.values())].reverse()) {
    const of = `${request.source} ${request.pasid ?? ''}`
    if (!found.has(of) && found.size < MOST_PROBES) found.set(of, request)
  }
  return [...found.values()]
}

/** All DMA that a case comes by, for the names of entries. */
const everyRequest = ({ requests, points }: Recorded): DmaRequest[] => {
  const all = [...requests, ...points.values()].map((each) => [`${each.source} ${each.pasid ?? ''} ${each.address}`, each] as const)
  return [...new Map(all).values()].slice(-MOST_WALKS)
}

/** Which moments are shown: all from one to another, or the first and the last of them. */
const choose = (from: number, count: number): { readonly shown: readonly number[]; readonly gap: Scenes['gap'] } => {
  const all = Array.from({ length: count - from }, (_, index) => from + index)
  if (all.length <= SHOWN) return { shown: all, gap: undefined }
  const left = all.length - SHOWN
  return { shown: [...all.slice(0, SHOWN - ENDING), ...all.slice(-ENDING)], gap: { at: SHOWN - ENDING, count: left } }
}

/** Exposures of one moment, and where its stores end among all of the bench. */
interface Take {
  readonly exposures: Exposure[]
  stores: number
}

const run = (statement: Statement, { backend, createCore }: CaseSubject, recorder: Recorder): string | undefined => {
  const { status, reason } = runStatement(statement, recorder.backend(backend), recorder.core(createCore))
  return status === 'failed' ? reason ?? '' : undefined
}

const distinct = (outcomes: readonly Outcome[]): Outcome[] => [...new Map(outcomes.map((each) => [outcomeKey(each), each])).values()]

/** Runs the case again, and films those of its moments. */
const shoot = async (
  statement: Statement, subject: CaseSubject, bench: number, first: number, { shown, gap }: ReturnType<typeof choose>,
  requests: readonly DmaRequest[], others: readonly DmaRequest[],
): Promise<Scenes> => {
  const wanted = new Set(shown)
  const takes = new Map<number, Take>()
  const stores: StoreEvent[] = []
  let current: number | undefined
  const expose = (event: Exposure['event']): void => {
    const take = current === undefined ? undefined : takes.get(current)
    const { machine } = recorder.benches[bench] as Recorded
    if (take === undefined) return
    const walks = requests.map((request) => machine.walk(request))
    take.exposures.push({
      event,
      outcomes: requests.map((request) => distinct(machine.outcomes(request))),
      paths: [...walks, ...others.map((request) => machine.walk(request))].map(({ steps }) => steps),
      ends: walks.map(({ outcome }) => outcome), stale: [],
    })
    take.stores = stores.length
  }
  /** A look is no step of the case. */
  let looking = false
  const recorder = createRecorder({
    begins(at, moment) {
      if (at !== bench) return
      if (current !== undefined) expose({ kind: 'end' })
      current = undefined
      if (!wanted.has(moment) || !FILMED.has(recorder.benches[bench]?.moments[moment]?.kind)) return
      current = moment
      takes.set(moment, { exposures: [], stores: stores.length })
      expose({ kind: 'start' })
    },
    sees(at, event: HardwareEvent) {
      if (at !== bench || looking) return
      looking = true
      if (event.kind === 'store') stores.push(event)
      expose(event)
      looking = false
    },
  })
  run(statement, subject, recorder)
  expose({ kind: 'end' })
  const { moments, machine } = recorder.benches[bench] as Recorded
  const developed = async (index: number): Promise<Act> => {
    const { kind, text, answer } = moments[index] as Moment
    const take = takes.get(index)
    if (take === undefined || take.exposures.length === 0) return { kind, text, answer, probes: [], frames: [] }
    const [before, after] = [take.exposures[0]?.ends ?? [], take.exposures.at(-1)?.ends ?? []]
    const frames = await develop({ exposures: take.exposures, before, after }, machine.memory, stores.slice(take.stores))
    const probes = requests.map(({ source, pasid, access, address }, at): FilmedProbe => ({
      bdf: sourceText(source), ...(pasid === undefined ? {} : { pasid }), access, iova: hex(address),
      before: meeting(before[at] as Outcome), after: meeting(after[at] as Outcome),
    }))
    return { kind, text, answer, probes, frames }
  }
  const context = Array.from({ length: Math.min(CONTEXT, first) }, (_, index) => first - Math.min(CONTEXT, first) + index)
  const acts: Act[] = []
  for (const index of [...context, ...shown]) if (moments[index] !== undefined) acts.push(await developed(index))
  const counted = { before: first - context.length, acts, differs: context.length }
  return gap === undefined ? counted : { ...counted, gap: { at: context.length + gap.at, count: gap.count } }
}

/**
 * The film of a statement's case. undefined where it does not fail, and where it fails without anything that could be filmed: what it
 * asks of driver and hardware, and what they do, is the same to its end, because the fault is in what is declared.
 */
export const filmCase = async (statement: Statement, wrong: CaseSubject, right: CaseSubject): Promise<CaseFilm | undefined> => {
  const [broken, whole] = [createRecorder(), createRecorder()]
  const reason = run(statement, wrong, broken)
  run(statement, right, whole)
  const bench = broken.benches.length - 1
  const [found, beside] = [broken.benches[bench], whole.benches[bench]]
  if (reason === undefined || found === undefined || beside === undefined) return undefined
  const first = firstDifference(found.moments, beside.moments)
  if (first === undefined) return undefined
  const [requests, others] = [requestsOf(found), everyRequest(found)]
  const scenes = (subject: CaseSubject, count: number): Promise<Scenes> =>
    shoot(statement, subject, bench, first, choose(first, count), requests, others)
  const { name: driver, backend } = wrong.backend
  return {
    schema: 'iommu.case/1', driver, backend, statement: statement.id, reason,
    wrong: await scenes(wrong, found.moments.length),
    right: await scenes(right, Math.min(Math.max(found.moments.length, first + 1), beside.moments.length)),
  }
}
