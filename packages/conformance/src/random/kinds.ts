// All kinds of commands. Each is made from a few small numbers, so that any source of numbers can make walks.
import type { Command } from './command.js'
import { bufferKinds } from './kinds-buffers.js'
import { domainKinds } from './kinds-domains.js'
import { groupKinds, ownerKinds, resetKinds } from './kinds-groups.js'
import { pasidKinds } from './kinds-pasids.js'
import { processKinds } from './kinds-processes.js'
import type { Model } from './model.js'
import type { Theme } from './setting.js'

/** A kind of command. */
export interface Kind {
  readonly name: string
  /** Only in walks that are about it too; absent: in every walk. */
  readonly theme?: Theme
  /** How often it comes, beside others. */
  readonly weight: number
  /** How many values each of its numbers has. */
  readonly draws: readonly number[]
  make(...drawn: number[]): Command
}

/** In half of the walks, and twice as often there. */
const about = (theme: Theme, all: readonly Kind[]): Kind[] => all.map((kind) => ({ ...kind, theme, weight: kind.weight * 2 }))

export const kinds: readonly Kind[] = [
  ...domainKinds, ...groupKinds, ...about('owners', ownerKinds), ...about('PASIDs', pasidKinds), ...about('resets', resetKinds),
  ...about('processes', processKinds), ...about('buffers', bufferKinds),
]

/** Whether a kind is among those of a walk. */
export const takesPart = ({ theme }: Kind, { setting: { themes } }: Model): boolean => theme === undefined || themes.has(theme)
