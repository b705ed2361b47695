// Walks: sequences of commands on a fresh machine, looked at after each; drawn from a seed, and made short where one fails.
import { createCore as wholeCore } from '@iommu/core'
import type { Backend, CreateCore } from '../backend.js'
import { ABILITIES } from './abilities.js'
import type { Ability } from './abilities.js'
import type { Command } from './command.js'
import { kinds, takesPart } from './kinds.js'
import type { Kind } from './kinds.js'
import type { Model } from './model.js'
import { SETTINGS, settingOf } from './setting.js'
import type { Setting } from './setting.js'
import { audit, createOldJudge, createWorld } from './world.js'
import type { World } from './world.js'

/** What a walk is made on. */
export interface Ground {
  /** The core layer under test. */
  readonly createCore?: CreateCore
  /** Abilities that the walks do without. */
  readonly without?: readonly Ability[]
}

export interface WalkOptions extends Ground {
  /** One of `SETTINGS`. */
  readonly setting?: number
}

/** A world before its first command. */
export interface Start {
  readonly model: Model
  readonly world: World
  /** Runs one command and looks at everything. Throws StatementFailed. */
  step(command: Command): void
}

export const start = (backend: Backend, { createCore = wholeCore, without = [], setting = 0 }: WalkOptions = {}): Start => {
  const abilities = new Set(ABILITIES.filter((each) => !without.includes(each)))
  const { model, world } = createWorld(backend, settingOf(setting, abilities), abilities, createCore)
  const { trace } = world.bench
  const olds = createOldJudge()
  return {
    model,
    world,
    step(command) {
      command.run(model, world)
      olds.judge(trace.calls)
      trace.clear()
      audit(model, world)
    },
  }
}

/** A walk that failed: the fewest of its commands that fail still, and how the last one does. */
export interface Misstep {
  readonly setting: Setting
  readonly commands: readonly string[]
  readonly reason: string
}

export interface WalksOptions extends Ground {
  /** The same seed makes the same walks. */
  readonly seed: number
  readonly walks: number
  /** Commands of each; 32 where absent. */
  readonly length?: number
}

export interface Walked {
  readonly walks: number
  readonly commands: number
  readonly stores: number
  readonly transitions: number
  readonly failuresInjected: number
  readonly misstep?: Misstep
}

const LENGTH = 32
/** Draws for one command that makes sense. */
const PATIENCE = 20

/** Whole numbers below a limit, the same for the same seed (mulberry32). */
const createDraw = (seed: number): ((limit: number) => number) => {
  let state = seed >>> 0
  return (limit) => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return Math.floor(((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32 * limit)
  }
}

const drawCommand = (from: readonly Kind[], draw: (limit: number) => number): Command => {
  let left = draw(from.reduce((sum, { weight }) => sum + weight, 0))
  const kind = from.find(({ weight }) => (left -= weight) < 0) ?? (from[0] as Kind)
  return kind.make(...kind.draws.map(draw))
}

/** Why a sequence fails, with what of it ran; undefined where it holds. */
const misstepOf = (
  backend: Backend, options: WalkOptions, commands: readonly Command[],
): { readonly ran: readonly Command[]; readonly reason: string } | undefined => {
  const { model, step } = start(backend, options)
  const ran: Command[] = []
  for (const command of commands) {
    if (!command.check(model)) continue
    ran.push(command)
    try {
      step(command)
    } catch (error) {
      return { ran, reason: sentenceOf(error) }
    }
  }
  return undefined
}

const sentenceOf = (error: unknown): string =>
  (!(error instanceof Error) ? String(error) : error.name === 'StatementFailed' ? error.message : `unexpected ${error.name}: ${error.message}`)

/** Leaves out what it can: halves first, then quarters, then single commands. */
const shrink = (backend: Backend, options: WalkOptions, commands: readonly Command[]): ReturnType<typeof misstepOf> => {
  let found = misstepOf(backend, options, commands)
  for (let size = Math.ceil((found?.ran.length ?? 0) / 2); found !== undefined && size >= 1; size = size === 1 ? 0 : Math.ceil(size / 2)) {
    for (let at = 0; at < found.ran.length;) {
      const less: ReturnType<typeof misstepOf> = misstepOf(backend, options, found.ran.filter((_, index) => index < at || index >= at + size))
      if (less === undefined) at += size
      else found = less
    }
  }
  return found
}

/** Walks of a backend, until one fails. */
export const runWalks = (backend: Backend, { seed, walks, length = LENGTH, ...ground }: WalksOptions): Walked => {
  const totals = { walks: 0, commands: 0, stores: 0, transitions: 0, failuresInjected: 0 }
  for (let turn = 0; turn < walks; turn++) {
    const draw = createDraw(Math.imul(seed, 0x9e37_79b1) + turn)
    const options: WalkOptions = { ...ground, setting: draw(SETTINGS) }
    const { model, world, step } = start(backend, options)
    const from = kinds.filter((kind) => takesPart(kind, model))
    const ran: Command[] = []
    let failed = false
    for (let draws = 0; draws < length * PATIENCE && ran.length < length && !failed; draws++) {
      const command = drawCommand(from, draw)
      if (!command.check(model)) continue
      ran.push(command)
      try {
        step(command)
      } catch {
        failed = true
      }
    }
    const { counts } = world.bench
    totals.walks += 1
    totals.commands += ran.length
    totals.stores += counts.stores
    totals.transitions += counts.transitions
    totals.failuresInjected += counts.failures
    if (!failed) continue
    const { ran: shortest = ran, reason = 'it fails once, and not again' } = shrink(backend, options, ran) ?? {}
    return { ...totals, misstep: { setting: model.setting, commands: shortest.map(String), reason } }
  }
  return totals
}

const sayDefaultType = { dma: [], 'dma-fq': ['unmaps of default domains are queued'], identity: ['default domains are identity'] } as const

/** A misstep in lines: what ran, and what was found then. */
export const renderMisstep = ({ setting: { defaultType, deferred }, commands, reason }: Misstep): string =>
  [...sayDefaultType[defaultType], ...(deferred ? ['attaches wait'] : []), ...commands, reason].join('; ')
