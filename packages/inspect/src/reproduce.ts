// Reproduce: given only what each recorded entry stands for, the driver writes it again, and the words are compared.
//
// Taken from the recorded words: the kind (blocked, identity, first or second stage), domain ids, addresses of tables,
// their levels and sizes, whether the device may use ATS and PASIDs and the domain enforces snooping; of a leaf its
// address, page, size and permissions. All else is the driver's doing.
import { diff } from '@iommu/bits'
import type { Entry } from '@iommu/bits'
import type { Capture } from './capture.js'
import { InputError, quoted } from './input-error.js'
import { hex, hexWord } from './spell.js'
import { unitOf } from './unit.js'
import type { Compared, Gathered, RuleText } from './vendor.js'

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
  readonly mode: string
  readonly totals: Readonly<Record<ReproduceVerdict, number>>
  readonly entries: readonly ReproducedEntry[]
  /** Rules that were needed, with how many entries they explain. */
  readonly rules: readonly (RuleText & { readonly count: number })[]
}

interface Judged {
  readonly verdict: ReproduceVerdict
  readonly fields?: readonly string[]
  readonly rules: readonly RuleText[]
}

const judge = (layout: Entry, { ruleFor }: Gathered, { entry, recorded, words }: Compared): Judged => {
  if (words === undefined) return { verdict: 'different', rules: [] }
  if (words.every((word, index) => word === recorded[index])) return { verdict: 'equal', rules: [] }
  const changes = diff(layout, recorded, words)
  const rules = changes.map(({ name, before, after }) =>
    ruleFor({ entry, field: name, recorded: BigInt(before), ours: BigInt(after), words: recorded }))
  const known = rules.flatMap((rule) => rule ?? [])
  return {
    verdict: known.length === rules.length ? 'explained' : 'different',
    fields: changes.map(({ name }) => name),
    rules: known.length === rules.length ? known : [],
  }
}

const spell = ({ words, recorded, address, iova, ...about }: Compared, judged: Judged): ReproducedEntry => ({
  ...about,
  address: hex(address),
  ...(iova === undefined ? {} : { iova: hex(iova) }),
  recorded: recorded.map(hexWord),
  ours: (words ?? []).map(hexWord),
  verdict: judged.verdict,
  ...(judged.fields === undefined ? {} : { fields: judged.fields }),
  ...(judged.rules.length === 0 ? {} : { rule: judged.rules.map(({ id }) => id).join(' ') }),
})

const refuse = ({ platform, names }: Capture): never => {
  throw new InputError({
    file: names.meta, place: 'platform', expected: 'one whose entries are compared with the driver\'s', found: quoted(platform),
  })
}

/**
 * Every entry of the capture's devices that a driver writes, from the device's own entry to page-table entries, beside
 * the driver's own. Nothing is compared where translation is off. Throws InputError where a register, or the tables
 * that every walk begins with, were not recorded, and for a platform whose entries are not compared.
 */
export const reproduce = (capture: Capture): Reproduction => {
  const unit = unitOf(capture)
  const gathered = unit.gather?.() ?? refuse(capture)
  const layouts = new Map(capture.vendor.entries.map((each) => [each.name, each]))
  const totals = { equal: 0, explained: 0, different: 0 }
  const counts = new Map<RuleText, number>()
  const entries = gathered.compared.map((each) => {
    const judged = judge(layouts.get(each.entry) as Entry, gathered, each)
    totals[judged.verdict]++
    for (const rule of judged.rules) counts.set(rule, (counts.get(rule) ?? 0) + 1)
    return spell(each, judged)
  })
  const rules = [...counts].map(([{ id, says, source }, count]) => ({ id, says, source, count }))
  return { schema: 'iommu.reproduce/1', platform: capture.platform, mode: unit.mode, totals, entries, rules }
}
