// Random walks as a statement: it is no rule of its own, and finds breaches of all.
import { fail } from '../check.js'
import type { Statement } from '../statement.js'
import { renderMisstep, runWalks } from './walk.js'
import type { Walked, WalksOptions } from './walk.js'

/** The statement of random walks, by its name. */
export const WALK = 'C-WALK-01'

/** Kinds of hardware walk ways of their own under one seed (FNV-1a). */
const mixed = (seed: number, name: string): number =>
  [...name].reduce((hash, letter) => Math.imul(hash ^ (letter.codePointAt(0) ?? 0), 0x0100_0193), seed ^ 0x811c_9dc5) >>> 0

/** `walked` is told what was done, whether or not it went well. */
export const walkStatement = (options: WalksOptions, walked: (walked: Walked) => void): Statement => ({
  id: WALK, obliges: 'both', source: 'all of the contract',
  says: 'whatever is called in whatever order, every point answers as the contract says',
  unless: ({ identity, paging }, _backend, { defaultDomain }) =>
    (identity.rid || paging.rid || defaultDomain !== undefined ? undefined : 'not declared: a default domain, identity or paging'),
  run({ backend }) {
    const done = runWalks(backend, { ...options, seed: mixed(options.seed, backend.backend) })
    walked(done)
    if (done.misstep !== undefined) fail(`by seed ${options.seed}, in walk ${done.walks}: ${renderMisstep(done.misstep)}`)
  },
})
