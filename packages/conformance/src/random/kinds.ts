// All kinds of commands. Each is made from a few small numbers, so that any source of numbers can make walks.
import type { Command } from './command.js'
import { domainKinds } from './kinds-domains.js'
import { groupKinds, resetKinds } from './kinds-groups.js'
import { pasidKinds } from './kinds-pasids.js'
import { processKinds } from './kinds-processes.js'

/** A kind of command. */
export interface Kind {
  readonly name: string
  /** How often it comes, beside others. */
  readonly weight: number
  /** How many values each of its numbers has. */
  readonly draws: readonly number[]
  make(...drawn: number[]): Command
}

export const kinds: readonly Kind[] = [...domainKinds, ...groupKinds, ...pasidKinds, ...resetKinds, ...processKinds]
