// Where the driver's PASID entries are changed otherwise than Linux changes them, and why that is right: named rules.
import { decode, encode } from '@iommu/bits'
import type { Words } from '@iommu/bits'
import type { NotBuilt, StepRule, WordRule } from '../../../tools/driver-tests/beside-linux.js'
import { iotlbDomain, pasidIotlbAll } from '../src/programming/invalidate.js'
import { DESCRIPTOR_TYPES, deviceTlbDescriptor, pasidDeviceTlbDescriptor } from '../src/tables/index.js'

/** One step of a change, in one form for both sides. An `invalidate` is one submission, waited for. */
export type Step =
  | { readonly do: 'store'; readonly index: number; readonly value: bigint }
  | { readonly do: 'order' | 'write-back' | 'flush-write-buffer' }
  | { readonly do: 'invalidate'; readonly words: readonly bigint[] }

/** What a change is about. */
export interface Change {
  readonly pasid: number
  readonly from: Words
  /** Stage and domain of the entry that comes; undefined: none comes. */
  readonly next: { readonly stage: 'first' | 'second' | 'pass-through'; readonly domainId: number } | undefined
  readonly cachingMode: boolean
  /** Whether the domain may also serve a unit whose walks do not snoop. */
  readonly domainSnooped: boolean
}

/** Differences in the words themselves. */
export const wordRules: readonly WordRule<Change, 'PWSNP'>[] = [
  {
    id: 'domain-does-not-snoop', field: 'PWSNP', holds: ({ next, domainSnooped }) => next?.stage === 'second' && !domainSnooped,
    says: 'a domain that also serves a unit without snooping walks is written back, and Linux then asks no unit to '
      + 'snoop; the driver asks every unit that can. Both walk what is in memory',
  },
]

const isPresent = (word: bigint): boolean => (word & 1n) === 1n

/** Word 0 before each step. */
const wordZero = (steps: readonly Step[], { from }: Change): bigint[] => {
  let now = from[0] as bigint
  return steps.map((step) => {
    const before = now
    if (step.do === 'store' && step.index === 0) now = step.value
    return before
  })
}

/** Runs of stores that begin and end with an absent entry, each replaced by what `rewrite` makes of it. */
const whileAbsent = (
  steps: readonly Step[], change: Change, rewrite: (run: readonly Extract<Step, { do: 'store' }>[]) => readonly Step[],
): Step[] => {
  const before = wordZero(steps, change)
  const out: Step[] = []
  let run: Extract<Step, { do: 'store' }>[] = []
  const close = (): void => {
    out.push(...rewrite(run))
    run = []
  }
  steps.forEach((step, index) => {
    const inside = step.do === 'store' && !isPresent(before[index] as bigint) && !(step.index === 0 && isPresent(step.value))
    if (inside) return run.push(step)
    close()
    return out.push(step)
  })
  close()
  return out
}

const withoutPhysicalFunction = (words: readonly bigint[]): readonly bigint[] => {
  const type = Number((words[0] as bigint) & 0xfn)
  const layout = type === DESCRIPTOR_TYPES.deviceTlb ? deviceTlbDescriptor
    : type === DESCRIPTOR_TYPES.pasidDeviceTlb ? pasidDeviceTlbDescriptor : undefined
  return layout === undefined ? words : encode(layout, { ...decode(layout, words), PFSID: 0 })
}

const same = (a: readonly bigint[], b: readonly bigint[]): boolean => a.every((word, index) => word === b[index])

/** In the order in which they are tried; what is not seen are stores into an absent entry. */
export const stepRules: readonly StepRule<Change, Step>[] = [
  {
    id: 'field-by-field', seen: false,
    rewrite: (steps, change) => whileAbsent(steps, change, (run) =>
      run.filter(({ index }, at) => !run.slice(at + 1).some((later) => later.index === index))),
    says: 'Linux fills an absent entry field by field, the driver stores each word once',
  },
  {
    id: 'word-0-twice', seen: false,
    rewrite: (steps, change) => {
      const before = wordZero(steps, change)
      return steps.filter((step, index) => {
        if (step.do !== 'store' || step.index !== 0 || isPresent(step.value) || isPresent(before[index] as bigint)) return true
        const next = steps.slice(index + 1).find((later) => later.do !== 'order' && !(later.do === 'store' && later.index > 0))
        return !(next?.do === 'store' && isPresent(next.value))
      })
    },
    says: 'Linux stores word 0 without P before the barrier and with P behind it, the driver only behind it',
  },
  {
    id: 'any-order-while-absent', seen: false,
    rewrite: (steps, change) => whileAbsent(steps, change, (run) => [...run].sort((a, b) => a.index - b.index)),
    says: 'between two barriers the words of an absent entry may be stored in any order',
  },
  {
    id: 'second-stage-by-domain', seen: true,
    rewrite: (steps, change) => {
      const { pasid, next, cachingMode, from } = change
      if (next?.stage !== 'second' || !cachingMode) return steps
      const before = wordZero(steps, change)
      const came = (index: number): boolean => isPresent(before[index] as bigint) && before[index] !== from[0]
      return steps.map((step, index) =>
        (step.do === 'invalidate' && came(index) && same(step.words, pasidIotlbAll(next.domainId, pasid))
          ? { do: 'invalidate', words: iotlbDomain(next.domainId) } : step))
    },
    says: 'in caching mode Linux flushes the PASID\'s IOTLB entries after any entry came; second-stage translations are '
      + 'tagged by domain alone, so for them the driver flushes by domain, as both do when such an entry goes',
  },
  {
    id: 'no-physical-function', seen: true,
    rewrite: (steps) => steps.map((step) =>
      (step.do === 'invalidate' ? { ...step, words: withoutPhysicalFunction(step.words) } : step)),
    says: 'Linux names the physical function in device-TLB descriptors where the unit throttles by it (ECAP.DIT); the '
      + 'driver does not read that capability and leaves the field 0, as units without it demand',
  },
]

/** What Linux refuses (-16, busy: its callers tear down first), the driver does in one plan: both changes, one after the other. */
export const REPLACED_AT_ONCE = 'replaced-at-once'

/** By operation. */
export const notBuilt: NotBuilt = {
  'set up nested did 17': { records: 12, says: 'nested translation' },
  'set up nested sre wpe eafe 5-level did 18': { records: 12, says: 'nested translation' },
  'set up second-level dirty did 5': { records: 12, says: 'dirty tracking' },
  'disable dirty tracking again (no change)': { records: 24, says: 'dirty tracking' },
}
