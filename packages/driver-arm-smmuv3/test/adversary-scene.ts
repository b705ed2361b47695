// The scene of the adversarial tests: one stream with contexts of its own, the entries that it can have, and the writers that
// change one into another. A writer is a list of actions, so that mutants can leave out or exchange what a driver's queue never would.
import type { Words } from '@iommu/bits'
import { encode } from '@iommu/bits'
import type { AdversaryOptions, DmaRequest, Finding, Outcome } from '@iommu/hardware'
import { armStage1, armStage2, createPageTable } from '@iommu/page-table'
import type { Format, PageTable } from '@iommu/page-table'
import { hostilePage, pairsOf } from '../../../tools/driver-tests/adversary.js'
import { putWords, requestsOf } from '../../../tools/driver-tests/dma.js'
import { backends } from '../src/backends.js'
import { createContexts } from '../src/devices/contexts.js'
import { contextWords, endedContextWords, streamWords } from '../src/domains/words.js'
import type { StreamFacts } from '../src/domains/words.js'
import { createSmmuAdversary, createSmmuMachine } from '../src/model/index.js'
import type { SmmuMachine } from '../src/model/index.js'
import { programming } from '../src/programming/index.js'
import type { Command, PlanStep } from '../src/programming/plan.js'
import { OFFSETS, OPCODES, SYNC_SIGNALS, syncCommand } from '../src/tables/index.js'
import { takeOver } from '../src/unit.js'
import type { Unit } from '../src/unit.js'

const MAPPED = 0x10_0000n
const SOURCE = 0x20
const PASID = 1
const PAGE = 0x1000n
const INPUT_BITS = 39

/** What a writer does. `send`: commands as they are, without a SYNC that nobody asks for. */
export type Action =
  | { readonly do: 'store'; readonly index: number; readonly value: bigint }
  | { readonly do: 'order' }
  | { readonly do: 'send'; readonly commands: readonly Command[] }

/** Turns an entry into another; `forget` makes hardware fetch it anew, `sync` completes that. */
export type Writer = (from: Words, to: Words, forget: Command, sync: Command) => readonly Action[]

const asActions = (steps: readonly PlanStep[], sync: Command): Action[] => steps.flatMap((step): Action[] => {
  switch (step.do) {
    case 'store': case 'order': return [step]
    case 'write-back': return []
    case 'invalidate': return [{ do: 'send', commands: [...step.commands, sync] }]
    default: return step satisfies never
  }
})

/** The driver's own. */
export const streamWriter: Writer = (from, to, forget, sync) => asActions(programming.planStream(from, to, [forget]), sync)
export const contextWriter: Writer = (from, to, forget, sync) => asActions(programming.planContext(from, to, [forget]), sync)

/** Stores and what makes hardware see them: a part of a writer that ends in commands. */
export interface Group {
  readonly stores: readonly Action[]
  readonly commands: readonly Command[]
}

export const groupsOf = (actions: readonly Action[]): Group[] => {
  const groups: Group[] = []
  let stores: Action[] = []
  for (const action of actions) {
    if (action.do === 'send') {
      groups.push({ stores, commands: action.commands })
      stores = []
    } else stores.push(action)
  }
  return groups
}

const [low, high] = encode(syncCommand, { Opcode: OPCODES.sync, CS: SYNC_SIGNALS.none }) as [bigint, bigint]
const SYNC: Command = [low, high]

export interface Scene {
  readonly machine: SmmuMachine
  readonly unit: Unit
  readonly adversary: ReturnType<typeof createSmmuAdversary>
  /** Entries of the stream, by name. */
  readonly streams: ReadonlyMap<string, Words>
  /** Contexts of the requester id, by name. */
  readonly contexts: ReadonlyMap<string, Words>
  /** Carries a writer out on the stream's entry, or on the requester id's context. */
  write(what: 'stream' | 'context', from: Words, to: Words, writer: Writer): void
  /** Everything under an ASID is forgotten. */
  flushAsid(asid: number): void
}

/** Names of the states, in the order of the experiment that the rules come from. */
export const STREAMS = [
  'V=0', 'abort', 'bypass', 'stage 1', 'stage 1, ATS', 'S1DSS bypass', 'S1DSS terminate',
  'stage 2, VMID 0', 'stage 2, VMID 0, ATS', 'stage 2, VMID 5', 'stage 2, VMID 9', 'other CD table',
] as const

/** `barrier`: whether the driver orders its stores before it rings for its commands. */
export const createScene = (options: AdversaryOptions = {}, barrier = true): Scene => {
  const machine = createSmmuMachine({ profile: { granules: [12] }, endpoints: new Map([[SOURCE, { pasidWidth: 4, atsQueueDepth: 31 }]]) })
  const { memory, registers } = machine
  memory.load(0n, hostilePage(backends[0] as (typeof backends)[number]))
  const adversary = createSmmuAdversary(machine, { stores: 'prompt', ...options })
  const unit = takeOver(machine, 0, programming)
  const { capabilities } = unit
  let physical = 0x80_0000n
  const tableOf = (format: Format): PageTable => {
    const table = createPageTable({ format, memory })
    table.mapPages(MAPPED, physical += 0x1_0000n, PAGE, 1, { read: true, write: true })
    return table
  }
  const first = (): PageTable => tableOf(armStage1({ granuleShift: 12, inputBits: INPUT_BITS, addressBits: capabilities.outputBits }))
  const second = armStage2({ granuleShift: 12, inputBits: INPUT_BITS, addressBits: capabilities.outputBits })
  const contextOf = (root: bigint, asid: number): Words => contextWords({ capabilities, granule: 12, inputBits: INPUT_BITS, root, asid })
  const [a, b, pasids, elsewhere] = [first(), first(), first(), first()]
  const contexts = new Map<string, Words>([
    ['absent', contextOf(0n, 0).map(() => 0n)],
    ['ASID 1', contextOf(a.root, 1)], ['ASID 2', contextOf(a.root, 2)],
    ['ASID 1, other tables', contextOf(b.root, 1)], ['ASID 2, other tables', contextOf(b.root, 2)],
    ['ended', endedContextWords(contextOf(a.root, 1))],
  ])
  const tables = [createContexts(unit, [SOURCE], 4), createContexts(unit, [SOURCE], 4)] as const
  putWords(machine, tables[0].entry(0) as bigint, contexts.get('ASID 1') as Words)
  putWords(machine, tables[1].entry(0) as bigint, contextOf(elsewhere.root, 4))
  for (const each of tables) putWords(machine, each.entry(PASID) as bigint, contextOf(pasids.root, 3))
  const facts = (ats: boolean, index: 0 | 1 = 0): StreamFacts => {
    const { address, max, leaves } = tables[index]
    return { capabilities, ats, contexts: { address, max, leaves } }
  }
  const stage1 = { kind: 'stage 1', context: [] } as const
  const stage2 = (vmid: number): Parameters<typeof streamWords>[1] => ({ kind: 'stage 2', format: second, root: tableOf(second).root, vmid })
  const [zero, five, nine] = [stage2(0), stage2(5), stage2(9)] as const
  const words: readonly Words[] = [
    streamWords(facts(false), { kind: 'blocked' }, false).map(() => 0n),
    streamWords(facts(false), { kind: 'blocked' }, false), streamWords(facts(false), { kind: 'bypass' }, false),
    streamWords(facts(false), stage1, false), streamWords(facts(true), stage1, false),
    streamWords(facts(false), { kind: 'bypass' }, true), streamWords(facts(false), { kind: 'blocked' }, true),
    streamWords(facts(false), zero, false), streamWords(facts(true), zero, false), streamWords(facts(false), five, false),
    streamWords(facts(false), nine, false), streamWords(facts(false, 1), stage1, false),
  ]
  const entry = unit.streamEntry(SOURCE)
  const context = tables[0].entry(0) as bigint
  const both = 2 ** unit.queue.log2size * 2
  const send = (commands: readonly Command[]): void => {
    const produced = registers.read32(OFFSETS.CMDQ_PROD)
    commands.forEach((words, index) => putWords(machine, unit.queue.base + BigInt(((produced + index) % (both / 2)) * 16), words))
    if (barrier) memory.order()
    registers.write32(OFFSETS.CMDQ_PROD, (produced + commands.length) % both)
  }
  memory.order()
  return {
    machine, unit, adversary, contexts,
    streams: new Map(STREAMS.map((name, index) => [name, words[index] as Words])),
    write(what, from, to, writer) {
      const [forget] = what === 'stream' ? programming.syncStream(SOURCE) : programming.syncContext([SOURCE], 0)
      for (const action of writer(from, to, forget as Command, SYNC)) {
        switch (action.do) {
          case 'store': memory.store64((what === 'stream' ? entry : context) + BigInt(action.index * 8), action.value); break
          case 'order': if (barrier) memory.order(); break
          case 'send': send(action.commands); break
          default: action satisfies never
        }
      }
    },
    flushAsid: (asid) => send([...programming.flushTag({ stage: 1, id: asid }), SYNC]),
  }
}

/** The two probes of the experiment: a request without SSID, and one with. */
export const PROBES: readonly DmaRequest[] = [undefined, PASID].map((pasid) =>
  requestsOf(SOURCE)(MAPPED, pasid === undefined ? {} : { pasid }))

/** What came of one change. */
export interface Result {
  readonly name: string
  readonly during: readonly Finding[]
  readonly after: readonly Finding[]
  /** Blocks in between that neither side is, by probe. */
  readonly blocked: readonly Finding[]
  readonly rest: readonly Finding[]
  /** Submissions that end in a SYNC. */
  readonly syncs: number
  readonly copies: number
}

const isBlock = ({ outcome }: { readonly outcome?: Outcome }): boolean => outcome?.result === 'blocked'

/** Changes an entry with a writer, and judges. */
export const runChange = ({ adversary, machine }: Scene, name: string, run: () => void): Result => {
  let syncs = 0
  const stop = machine.observe((event) => {
    if (event.kind === 'command' && event.name === syncCommand.name) syncs++
  })
  const before = adversary.cost.copies
  const { during, after } = adversary.watch(run, { hitless: true })
  stop()
  return {
    name, during: during.filter((each) => !isBlock(each)), after, blocked: during.filter(isBlock),
    rest: adversary.atRest(), syncs, copies: adversary.cost.copies - before,
  }
}

/** How the adversary plays, and whether the driver orders its stores. */
export interface Setup {
  readonly options?: AdversaryOptions
  readonly barrier?: boolean
}

/** Every ordered pair of stream states, each on a fresh machine, with a writer. */
export const runStreams = (writer: Writer, { options, barrier }: Setup = {}): Result[] =>
  pairsOf(STREAMS).map(([from, to]) => {
    const scene = createScene(options, barrier)
    const [old, next] = [scene.streams.get(from), scene.streams.get(to)] as [Words, Words]
    scene.write('stream', scene.streams.get('abort') as Words, old, streamWriter)
    scene.adversary.track(...PROBES)
    return runChange(scene, `${from} -> ${to}`, () => scene.write('stream', old, next, writer))
  })
