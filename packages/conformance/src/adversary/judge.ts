// Judges changes: a statement holds where no change of its parts has a finding of its kind.
import { check, notDeclared } from '../check.js'
import type { Case } from '../statement.js'
import type { Change } from './account.js'
import { accountOf } from './campaign.js'
import type { Part } from './campaign.js'

/** What may be found in a change; `everything`: any of them. */
export type Fault = 'during' | 'after' | 'free' | 'disturbed'

/** The changes of some parts, one at least; not declared where hardware has none of them. */
export const changesOf = (t: Case, parts: readonly Part[], ats = false): readonly Change[] => {
  const changes = parts.flatMap((part) => accountOf(t, part, ats)?.changes ?? [])
  return changes.length === 0 ? notDeclared(ats ? 'devices with a TLB of their own' : parts.join(', ')) : changes
}

/** Fails where changes have findings of these kinds, with the first one of each kind and how many there are. */
export const none = (changes: readonly Change[], kinds: readonly Fault[]): void => {
  const wrong = changes.filter((each) => kinds.some((kind) => each[kind].length > 0))
  const [first] = wrong
  const said = kinds.flatMap((kind) => first?.[kind].slice(0, 1) ?? [])
  check(first === undefined, `${wrong.length} of ${changes.length} changes; ${first?.what ?? ''}, ${said.join('; ')}`)
}

/** Whether the backend has adversarial mode, so that it answers in place of the model's own caches. */
export const hasAdversary = (t: Case): boolean => t.backend.createAdversary !== undefined
