// Reproduce: given only what each recorded entry stands for, the driver writes it again, and the words are compared.
//
// Taken from the recorded words: the kind (blocked, identity, first or second stage), domain ids, addresses of tables,
// their levels and sizes, whether the device may use ATS and PASIDs and the domain enforces snooping; of a leaf its
// address, page, size and permissions. All else is the driver's doing.
import { diff } from '@iommu/bits'
import { pagesSnooped } from '@iommu/driver-intel-vtd/reproduce'
import type { Capture } from './capture.js'
import { findEntry } from './entries.js'
import { addDevice } from './reproduce-gather.js'
import type { Compared, Gathered } from './reproduce-gather.js'
import { reproduceRules } from './reproduce-rules.js'
import type { Difference, ReproduceRule, RuleFacts } from './reproduce-rules.js'
import { unitOf } from './unit.js'
import type { Mode } from './unit.js'

export type ReproduceVerdict = 'equal' | 'explained' | 'different'

/** One entry, recorded and rewritten. */
export interface ReproducedEntry {
  /** The device; tables that several devices share are listed with the first. */
  readonly bdf: string
  /** Of a directory entry: the first PASID below it. */
  readonly pasid?: number
  /** "vtd.context" */
  readonly entry: string
  readonly address: string
  /** Of page-table entries: the first address that they translate, and their level. */
  readonly iova?: string
  readonly level?: number
  readonly recorded: readonly string[]
  /** Empty where the driver writes no such entry; `note` says why. */
  readonly ours: readonly string[]
  readonly verdict: ReproduceVerdict
  /** Fields that differ. */
  readonly fields?: readonly string[]
  /** The rules that explain it. */
  readonly rule?: string
  readonly note?: string
}

/** The `iommu.reproduce/1` object. */
export interface Reproduction {
  readonly schema: 'iommu.reproduce/1'
  readonly platform: string
  readonly mode: Mode
  readonly totals: Readonly<Record<ReproduceVerdict, number>>
  readonly entries: readonly ReproducedEntry[]
  /** Rules that were needed, with how many entries they explain. */
  readonly rules: readonly (Pick<ReproduceRule, 'id' | 'says' | 'source'> & { readonly count: number })[]
}

const hexWord = (word: bigint): string => `0x${word.toString(16).padStart(16, '0')}`

const ruleFor = (facts: RuleFacts, difference: Difference): ReproduceRule | undefined =>
  reproduceRules.find((rule) =>
    rule.entry === difference.entry && rule.field === difference.field && rule.condition(facts, difference))

interface Judged {
  readonly verdict: ReproduceVerdict
  readonly fields?: readonly string[]
  readonly rules: readonly ReproduceRule[]
}

const judge = (facts: RuleFacts, { entry, recorded, words }: Compared): Judged => {
  if (words === undefined) return { verdict: 'different', rules: [] }
  if (words.every((word, index) => word === recorded[index])) return { verdict: 'equal', rules: [] }
  const changes = diff(findEntry(entry), recorded, words)
  const rules = changes.map(({ name, before, after }) =>
    ruleFor(facts, { entry, field: name, recorded: BigInt(before), ours: BigInt(after), words: recorded }))
  const known = rules.flatMap((rule) => rule ?? [])
  return {
    verdict: known.length === rules.length ? 'explained' : 'different',
    fields: changes.map(({ name }) => name),
    rules: known.length === rules.length ? known : [],
  }
}

const spell = ({ words, recorded, address, iova, tables: _tables, ...about }: Compared, judged: Judged): ReproducedEntry => ({
  ...about,
  address: `0x${address.toString(16)}`,
  ...(iova === undefined ? {} : { iova: `0x${iova.toString(16)}` }),
  recorded: recorded.map(hexWord),
  ours: (words ?? []).map(hexWord),
  verdict: judged.verdict,
  ...(judged.fields === undefined ? {} : { fields: judged.fields }),
  ...(judged.rules.length === 0 ? {} : { rule: judged.rules.map(({ id }) => id).join(' ') }),
})

/**
 * Every context entry, PASID directory entry, PASID entry and page-table entry of the capture's devices, beside the
 * driver's own. Nothing is compared where translation is off. Throws InputError for a platform that this version does
 * not read, and where a register, the root table or a context table was not recorded.
 */
export const reproduce = (capture: Capture): Reproduction => {
  const { mode, rootTable, reader } = unitOf(capture)
  const gathered: Gathered = {
    reader: reader([]), scalable: mode === 'scalable', compared: [], done: new Set(), tablesNoted: false,
  }
  if (mode === 'legacy' || mode === 'scalable') {
    for (const device of capture.devices) addDevice(gathered, rootTable, device)
  }
  const { capabilities } = gathered.reader
  const facts: RuleFacts = {
    capabilities, pagesSnooped: pagesSnooped(capabilities, gathered.scalable), tablesNoted: gathered.tablesNoted,
  }
  const totals = { equal: 0, explained: 0, different: 0 }
  const counts = new Map<ReproduceRule, number>()
  const entries = gathered.compared.map((each) => {
    const judged = judge(facts, each)
    totals[judged.verdict]++
    for (const rule of judged.rules) counts.set(rule, (counts.get(rule) ?? 0) + 1)
    return spell(each, judged)
  })
  const rules = [...counts].map(([{ id, says, source }, count]) => ({ id, says, source, count }))
  return { schema: 'iommu.reproduce/1', platform: capture.platform, mode, totals, entries, rules }
}
