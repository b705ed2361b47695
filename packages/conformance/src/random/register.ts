// Walks under a test runner: on every backend, by fast-check; and broken drivers that they find.
import { manifestOf } from '../backend.js'
import type { Backend } from '../backend.js'
import { broken, varied } from '../judge.js'
import type { CoreMutant, DriverVariant } from '../judge.js'
import { opsMutants } from '../mutants/index.js'
import type { Runner } from '../register.js'
import type { Ability } from './abilities.js'
import { checkWalks } from './fast-check.js'
import type { FastCheck } from './fast-check.js'
import { runWalks } from './walk.js'
import type { Walked, WalksOptions } from './walk.js'

/** Who walks, and what walks find. Broken drivers and core layers are named by their ids. */
export interface WalkSources {
  readonly backends: readonly Backend[]
  readonly variants: readonly DriverVariant[]
  readonly coreVariants?: readonly CoreMutant[]
  /** What shows at rest; what shows for a moment only is for statements that look at every step. */
  readonly finds: readonly string[]
  /** What is found by walks with an ability, and never without it. */
  readonly findsBy?: Partial<Record<Ability, readonly string[]>>
  /** Another seed makes other walks; one that fails names the seed and the shortest walk. 1 where absent. */
  readonly seed?: number
  /** On each backend; 40 where absent. */
  readonly walks?: number
}

const WALKS = 40
/** What walks are allowed for a broken driver, and what it takes at the most when the walk has been made short. */
const ENOUGH = 300
const SHORT = 14
/** How many times as many walks without an ability must find nothing. */
const SURELY = 1

/** Walks on what an id names, on each backend where it may show. Throws RangeError where it names nothing that breaks these. */
const brokenBy = ({ backends, variants, coreVariants = [] }: WalkSources, id: string): ((options: WalksOptions) => Walked)[] => {
  const core = coreVariants.find((each) => each.id === id)
  const variant = variants.find((each) => each.id === id)
  const mutant = opsMutants.find((each) => each.id === id)
  const fits = backends.filter((each) =>
    (variant?.on?.includes(each.backend) ?? mutant?.where?.(manifestOf(each)) ?? true) && each.harmless?.[id] === undefined)
  const on = mutant?.anywhere === true ? fits : fits.slice(0, 1)
  if (core !== undefined) return on.map((backend) => (options) => runWalks(backend, { ...options, createCore: core.create }))
  if (variant !== undefined) return on.map((backend) => (options) => runWalks(varied(backend, variant), options))
  if (mutant !== undefined) return on.map((backend) => (options) => runWalks(broken(backend, mutant), options))
  throw new RangeError(`nothing that is broken here is called ${id}`)
}

interface Found { readonly walks: number; readonly walk: (options: WalksOptions) => Walked }

const find = (sources: WalkSources, id: string): Found => {
  for (const walk of brokenBy(sources, id)) {
    const { walks, misstep } = walk({ seed: 1, walks: ENOUGH })
    if (misstep === undefined) continue
    const { commands } = misstep
    if (commands.length > SHORT) throw new Error(`it takes ${commands.length} commands to show: ${commands.join('; ')}`)
    return { walks, walk }
  }
  throw new Error('walks find nothing')
}

/** Registers walks on every backend, and every broken driver that they find, as tests. */
export const walks = (runner: Runner, fc: FastCheck, sources: WalkSources): void => {
  const { backends, finds, findsBy = {}, seed = 1 } = sources
  runner.describe('walks', () => {
    for (const backend of backends) runner.test(backend.backend, () => checkWalks(fc, backend, { walks: sources.walks ?? WALKS, seed }))
  })
  runner.describe('walks find', () => {
    for (const id of finds) runner.test(id, () => void find(sources, id))
  })
  for (const [ability, ids] of Object.entries(findsBy) as [Ability, readonly string[]][]) {
    runner.describe(`walks find by ${ability}, and not without`, () => {
      for (const id of ids) {
        runner.test(id, () => {
          const found = find(sources, id)
          const { misstep } = found.walk({ seed: 1, walks: found.walks * SURELY, without: [ability] })
          if (misstep !== undefined) throw new Error(`found without ${ability}: ${misstep.commands.join('; ')}; ${misstep.reason}`)
        })
      }
    })
  }
}
