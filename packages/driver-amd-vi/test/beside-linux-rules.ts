// Where the driver changes device table entries otherwise than Linux does, and why that is right: named rules.
import { decode, encode } from '@iommu/bits'
import type { NotBuilt, StepRule, WordRule } from '../../../tools/driver-tests/beside-linux.js'
import { entryTag, usesSlot } from '../src/domains/words.js'
import { flushTag } from '../src/programming/invalidate.js'
import type { Command } from '../src/programming/plan.js'
import { deviceTableEntry, invalidateIotlbPages, invalidateIommuPages, OPCODES, platformWords } from '../src/tables/index.js'

type Words = readonly bigint[]

/** One step of a change, in one form for both sides. An `invalidate` is one submission, waited for. */
export type Step =
  | { readonly do: 'store'; readonly index: number; readonly values: readonly bigint[] }
  | { readonly do: 'order' }
  | { readonly do: 'invalidate'; readonly commands: readonly Command[] }

/** What a change is about. */
export interface Change {
  readonly op: string
  readonly from: Words
  readonly to: Words
}

const fields = (words: Words): ReturnType<typeof decode<typeof deviceTableEntry['fields']>> => decode(deviceTableEntry, words)

/** Differences in the words themselves. */
export const wordRules: readonly WordRule<Change, 'DomainID' | 'PPR' | 'SysMgt'>[] = [
  {
    id: 'identity-domain', field: 'DomainID', holds: ({ to }) => fields(to).Mode === 0 && fields(to).GV === 0 && fields(to).TV === 1,
    says: 'Linux takes the id of its identity domain from its allocator, the driver has 1 for it, which is what Linux\'s is '
      + 'where it comes first',
  },
  {
    id: 'no-page-requests', field: 'PPR', holds: ({ to }) => fields(to).PPR === 1,
    says: 'page requests are not built yet, so no entry lets them through',
  },
  {
    id: 'firmware-from-the-beginning', field: 'SysMgt', holds: ({ from, to }) => fields(from).V === 0 && fields(to).SysMgt !== 0,
    says: 'Linux adds what the firmware wants to each entry that it makes, the driver puts it into every entry when it takes '
      + 'the unit over, and leaves it there; it has no entry that is not valid',
  },
]

const opcode = (command: Command): number => decode(invalidateIommuPages, command).Opcode
const is = (wanted: number) => (command: Command): boolean => opcode(command) === wanted
const isDevtab = is(OPCODES.invalidateDevtabEntry)
const isPages = is(OPCODES.invalidateIommuPages)
const isDevice = (command: Command): boolean => decode(invalidateIotlbPages, command).Opcode === OPCODES.invalidateIotlbPages

const groups = (steps: readonly Step[], change: (commands: readonly Command[], at: number) => readonly Command[]): Step[] =>
  steps.flatMap((step, at): Step[] => {
    if (step.do !== 'invalidate') return [step]
    const commands = change(step.commands, at)
    return commands.length === 0 ? [] : [{ do: 'invalidate', commands }]
  })

/** What makes Linux's steps the driver's, in the order in which they are tried. */
export const stepRules: readonly StepRule<Change, Step>[] = [
  {
    id: 'equal-stores', seen: false,
    rewrite(theirs, { from }) {
      const now = [...from]
      return theirs.filter((step) => {
        if (step.do !== 'store') return true
        const [first, second] = step.values
        const changes = now[step.index] !== first || now[step.index + 1] !== second
        now[step.index] = first as bigint
        now[step.index + 1] = second as bigint
        return changes
      })
    },
    says: 'Linux stores both halves, the driver those that change',
  },
  {
    id: 'aborts-in-between', seen: true,
    rewrite: (theirs, { from, to }) => theirs.map((step, at): Step => {
      const lower = theirs.findIndex((each) => each.do === 'store' && each.index === 0)
      const passes = step.do === 'store' && at === lower && ((step.values[0] as bigint) & 1n) === 0n && fields(to).V === 1
      return passes ? { ...step, values: encode(deviceTableEntry, { V: 1 }, platformWords(from)).slice(0, 2) } : step
    }),
    says: 'while GuestPagingMode changes under GV Linux clears V too, which lets DMA pass for that moment; the driver leaves V',
  },
  {
    id: 'invalidated-once', seen: true,
    rewrite(theirs) {
      let pending = true
      return theirs.flatMap((step): Step[] => {
        if (step.do === 'store') pending = true
        if (step.do !== 'invalidate') return [step]
        const commands = step.commands.filter((command) => !isDevtab(command) || pending)
        if (step.commands.some(isDevtab)) pending = false
        return commands.length === 0 ? [] : [{ do: 'invalidate', commands }]
      })
    },
    says: 'Linux invalidates the entry where it is stored, and its callers once more; the driver once',
  },
  {
    id: 'blocked-forgets-pages', seen: true,
    rewrite(theirs, { op, from }) {
      const tag = entryTag(from)
      return op === 'clear_dte' && tag !== undefined ? [...theirs, { do: 'invalidate', commands: [flushTag(tag)] }] : theirs
    },
    says: 'Linux clears an entry and leaves it to the caller to flush the domain\'s pages; the driver does it with the entry',
  },
  {
    id: 'slot-forgets-pages', seen: true,
    rewrite: (theirs, { from }) => (usesSlot(from) ? groups(theirs, (commands) => commands.filter((command) => !isPages(command))) : theirs),
    says: 'requests without PASID were PASID 0\'s: their pages are flushed, by PASID, when GCR3[0] changes, not with the entry; '
      + 'Linux flushes the domain without naming the PASID, and names it elsewhere',
  },
  {
    id: 'device-tlb-last', seen: true,
    rewrite(theirs) {
      const device = theirs.flatMap((step) => (step.do === 'invalidate' ? step.commands.filter(isDevice) : []))
      const rest = groups(theirs, (commands) => commands.filter((command) => !isDevice(command)))
      return device.length === 0 ? theirs : [...rest, { do: 'invalidate', commands: device }]
    },
    says: 'Linux tells the device\'s own TLB together with the entry, the driver after the pages: what the device asks for in '
      + 'between is not answered from what is about to go',
  },
]

/** By operation, or by the state that comes of it. */
export const notBuilt: NotBuilt = {
  'nested': { records: 18, says: 'nested translation' },
  'v1 domain 7 dirty': { records: 10, says: 'dirty tracking' },
  'store an entry that is not valid': { records: 10, says: 'the driver never stores an entry that is not valid: DMA would pass' },
}
