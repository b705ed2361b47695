// Developing: exposures become frames. Stores get the entry that they belong to, and the handing over of commands is folded away.
import { diff } from '@iommu/bits'
import type { Change, Entry } from '@iommu/bits'
import { describeStep, outcomeKey } from '@iommu/hardware'
import type { Memory, Outcome, Step, StoreEvent } from '@iommu/hardware'
import { changedField, hex, hexWord, lookUpEntries } from '@iommu/inspect'
import type { ChangedField } from '@iommu/inspect'
import type { Exposure, Reel } from './camera.js'
import type { FilmedStore, Frame, Meeting, Met, PathStep } from './film.js'
import { playBack } from './memory-then.js'
import type { MemoryThen } from './memory-then.js'

const FRAME_SHIFT = 12n

/** An entry that a probe came by. */
interface Place {
  readonly name: string
  readonly address: bigint
  readonly words: number
  /** Absent where nobody knows the layout: then words are shown, and no fields. */
  readonly layout: Entry | undefined
}

const layoutsOf = async (names: ReadonlySet<string>): Promise<Map<string, Entry>> => {
  const found = await Promise.all([...names].map(async (name) => (await lookUpEntries(name))[0]))
  return new Map(found.flatMap((layout) => (layout?.wordBits === 64 ? [[layout.name, layout] as const] : [])))
}

/** All entries that a probe came by at any time. */
const placesOf = async ({ exposures }: Pick<Reel, 'exposures'>): Promise<(address: bigint) => Place | undefined> => {
  const steps = exposures.flatMap(({ paths }) => paths.flat())
  const layouts = await layoutsOf(new Set(steps.map(({ entry }) => entry)))
  const places = new Map<bigint, Place>()
  for (const { entry: name, address, words } of steps) {
    if (address === undefined) continue
    const layout = layouts.get(name)
    places.set(address, { name, address, layout, words: layout === undefined ? Math.max(words.length, 1) : layout.bits / layout.wordBits })
  }
  const all = [...places.values()]
  return (wanted) => all.find(({ address, words }) => wanted >= address && wanted < address + BigInt(words) * 8n)
}

/** Whether an event only hands commands to hardware: stores to the queue, to the word that a wait answers in, a doorbell. */
const handOver = (exposures: readonly Exposure[], placeOf: (address: bigint) => Place | undefined): (index: number) => boolean => {
  const events = exposures.map(({ event }) => event)
  const isFree = (event: Exposure['event'] | undefined): event is StoreEvent => event?.kind === 'store' && placeOf(event.address) === undefined
  const commands = events.flatMap((event) => (event?.kind === 'command' ? [event] : []))
  const heads = new Set(commands.map(({ words: [first] }) => first))
  const queues = new Set(events.filter(isFree).filter(({ after: [first] }) => heads.has(first)).map(({ address }) => address >> FRAME_SHIFT))
  const named = new Set(commands.flatMap(({ words }) => words.map((word) => word & ~7n)))
  return (index) => {
    const event = events[index]
    if (event?.kind === 'register') return events[index - 1]?.kind === 'command'
    return isFree(event) && (queues.has(event.address >> FRAME_SHIFT) || named.has(event.address & ~7n))
  }
}

export const meeting = (outcome: Outcome): Meeting => (outcome.result === 'blocked'
  ? { result: 'blocked', ...(outcome.fault === undefined ? {} : { fault: outcome.fault.name }) }
  : { result: 'translated', address: hex(outcome.address), tag: outcome.tag })

const met = (outcome: Outcome, before: Outcome, after: Outcome): Met => {
  const key = outcomeKey(outcome)
  const [old, now] = [key === outcomeKey(before), key === outcomeKey(after)]
  const is = old && now ? 'both' : old ? 'old' : now ? 'new' : outcome.result === 'blocked' ? 'blocked' : 'neither'
  return { ...meeting(outcome), is }
}

const pathStep = ({ entry, address, words, note }: Step): PathStep =>
  ({ entry, ...(address === undefined ? {} : { address: hex(address) }), words: words.map(hexWord), note })

const shortChange = ({ name, before, after, meaning }: ChangedField): string => {
  const [was, is] = meaning ?? [before, after]
  return `${name} ${was} -> ${is}`
}

const developStore = (event: StoreEvent, place: Place | undefined, then: MemoryThen): Pick<Frame, 'store' | 'changed' | 'text'> => {
  const store: FilmedStore = { address: hex(event.address), before: event.before.map(hexWord), after: event.after.map(hexWord) }
  if (place === undefined) {
    then.advance(event)
    return { store, changed: [], text: describeStep(event) }
  }
  const { address, layout, name, words } = place
  const before = then.words(address, words)
  then.advance(event)
  const after = then.words(address, words)
  const changes: readonly Change[] = layout === undefined ? [] : diff(layout, before, after)
  const changed = changes.map((change) => changedField(layout as Entry, change))
  const at = Number((event.address - address) / 8n)
  const range = event.bytes === 16 ? `words ${at} and ${at + 1}` : `word ${at}`
  return {
    store: { ...store, entry: { name, address: hex(address), before: before.map(hexWord), after: after.map(hexWord) } },
    changed,
    text: `${name} at ${hex(address)}, ${range}: ${layout === undefined ? store.after.join(' ') : changed.map(shortChange).join(', ') || 'nothing'}`,
  }
}

const storesOf = ({ exposures }: Pick<Reel, 'exposures'>): StoreEvent[] => exposures.flatMap(({ event }) => (event.kind === 'store' ? [event] : []))

/** Frames of a reel. `memory` is as the reel left it and the stores behind it, if there were any. */
export const develop = async (reel: Pick<Reel, 'exposures' | 'before' | 'after'>, memory: Memory, behind: readonly StoreEvent[] = []): Promise<Frame[]> => {
  const { exposures, before, after } = reel
  const placeOf = await placesOf(reel)
  const isHandOver = handOver(exposures, placeOf)
  const then = playBack(memory, [...storesOf(reel), ...behind])
  const frames: Frame[] = []
  for (const [index, { event, outcomes, paths, ends, stale }] of exposures.entries()) {
    const seen = {
      dma: outcomes.map((each, probe) => each.map((outcome) => met(outcome, before[probe] as Outcome, after[probe] as Outcome))),
      paths: paths.map((path) => path.map(pathStep)),
      ends: ends.map(meeting),
      stale,
    }
    if (event.kind === 'start' || event.kind === 'end') {
      frames.push({ kind: event.kind, text: event.kind === 'start' ? 'before' : 'done', changed: [], ...seen })
    } else if (isHandOver(index)) {
      if (event.kind === 'store') then.advance(event)
    } else if (event.kind === 'store') {
      frames.push({ kind: 'store', ...developStore(event, placeOf(event.address), then), ...seen })
    } else if (event.kind === 'command') {
      const { name, words, text } = event
      frames.push({ kind: 'command', text: `${name} ${text}`, command: { name, words: words.map(hexWord), text }, changed: [], ...seen })
    } else {
      frames.push({ kind: event.kind, text: describeStep(event), changed: [], ...seen })
    }
  }
  return frames.filter((frame, index) => frame.kind !== 'order' || frames[index + 1]?.kind !== 'command')
}
