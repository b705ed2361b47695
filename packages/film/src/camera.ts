// The camera: after every step of a driver, what lies on the paths of DMA and what each DMA could meet.
import type { HardwareEvent, Outcome, Sight, Step, Verdict } from '@iommu/hardware'
import { outcomeKey } from '@iommu/hardware'
import type { Scene } from './scene.js'

/** One moment, as it was seen. */
export interface Exposure {
  /** A step of the driver, or the moment before its first and after its last. */
  readonly event: HardwareEvent | { readonly kind: 'start' } | { readonly kind: 'end' }
  /** For each probe everything that it could meet, whatever caches kept: under way at a step, begun afterwards at the end. */
  readonly outcomes: readonly (readonly Outcome[])[]
  /** For each probe the entries that tables in memory lead it through. */
  readonly paths: readonly (readonly Step[])[]
  /** For each probe what tables in memory make of it, at the end of its path. */
  readonly ends: readonly Outcome[]
  /** Copies in caches that differ from memory now, one line each. */
  readonly stale: readonly string[]
}

export interface Reel {
  readonly exposures: readonly Exposure[]
  /** For each probe what tables in memory gave before, and give now. */
  readonly before: readonly Outcome[]
  readonly after: readonly Outcome[]
  /** Absent where the backend has no adversarial mode, or the change was refused. */
  readonly verdict: Verdict | undefined
  /** What the change threw. */
  readonly error: unknown
}

const distinct = (outcomes: readonly Outcome[]): Outcome[] =>
  [...new Map(outcomes.map((outcome) => [outcomeKey(outcome), outcome])).values()]

/** Films a change. What it throws is kept, and not thrown on. */
export const film = ({ adversary, machine, probes }: Scene, change: () => void): Reel => {
  const settled = (): Outcome[] => probes.map(({ request }) => machine.walk(request).outcome)
  const expose = (event: Exposure['event'], sight: Sight): Exposure => {
    const walks = probes.map(({ request }) => machine.walk(request))
    return {
      event,
      outcomes: probes.map(({ request }) => distinct(adversary?.outcomes(request, sight) ?? machine.outcomes(request))),
      paths: walks.map(({ steps }) => steps),
      ends: walks.map(({ outcome }) => outcome),
      stale: adversary?.atRest().map(({ says }) => says) ?? [],
    }
  }
  const exposures: Exposure[] = []
  const before = settled()
  let error: unknown
  const run = (): void => {
    // Here caches know the state before, and no DMA from before that state is under way. The model's own have to be taught it.
    if (adversary === undefined) for (const { request } of probes) machine.dma(request)
    exposures.push(expose({ kind: 'start' }, 'flight'))
    const stop = machine.observe((event) => {
      exposures.push(expose(event, 'flight'))
    })
    try {
      change()
    } finally {
      stop()
    }
  }
  let verdict: Verdict | undefined
  try {
    if (adversary === undefined) run()
    else verdict = adversary.watch(run)
  } catch (thrown) {
    error = thrown
  }
  exposures.push(expose({ kind: 'end' }, 'next'))
  return { exposures, before, after: settled(), verdict, error }
}
