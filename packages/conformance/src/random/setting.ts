// The setting of a walk: which devices, which core layer, and what it is about. Few things at a time meet more often.
import type { Ability } from './abilities.js'

/** What walks can be about, beside domains and the requester ids on them. */
const THEMES = ['owners', 'PASIDs', 'resets', 'processes', 'buffers'] as const

export type Theme = (typeof THEMES)[number]

/** What a backend does not have it does not get. */
export interface Setting {
  /** What new groups get. */
  readonly defaultType: 'dma' | 'dma-fq' | 'identity'
  /** Attaches wait for the first DMA map. */
  readonly deferred: boolean
  /** Devices that are there, by index. */
  readonly devices: readonly number[]
  readonly themes: ReadonlySet<Theme>
}

const TYPES = ['dma', 'identity', 'dma-fq'] as const
/** All; one with everything; two in a group; two behind two units. */
const CASTS = [[0, 1, 2, 3], [0], [1, 2], [0, 3]] as const

/** How many settings there are. */
export const SETTINGS = TYPES.length * 2 * CASTS.length * 2 ** THEMES.length

/** One of them: 0 has all devices, is about everything, and has no queue and no attach that waits. */
export const settingOf = (number: number, abilities: ReadonlySet<Ability>): Setting => {
  let left = number % SETTINGS
  const draw = (limit: number): number => {
    const drawn = left % limit
    left = Math.floor(left / limit)
    return drawn
  }
  const defaultType = TYPES[draw(TYPES.length)] ?? 'dma'
  return {
    defaultType: defaultType === 'dma-fq' && !abilities.has('flush-queue') ? 'dma' : defaultType,
    deferred: draw(2) === 1 && abilities.has('deferred'),
    devices: CASTS[draw(CASTS.length)] ?? CASTS[0],
    themes: new Set(THEMES.filter(() => draw(2) === 0)),
  }
}
