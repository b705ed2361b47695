// Change: what differs between two versions of an entry, and how the driver gets from one to the other.
import { describe, diff, renderLine } from '@iommu/bits'
import type { Change, Entry, Words } from '@iommu/bits'
import { InputError, quoted } from './input-error.js'
import { hex, hexWord } from './spell.js'
import type { ChangeAbout, ChangeStep, Vendor } from './vendor.js'
import { vendorsOfName } from './vendors.js'

export interface ChangedField {
  readonly name: string
  readonly before: string
  readonly after: string
  /** What the values mean, where the layout names them. */
  readonly meaning?: readonly [before: string, after: string]
}

export interface PlannedStep {
  readonly do: 'store' | 'order' | 'write-back' | 'flush-write-buffer' | 'invalidate'
  /** Of a store: index of the first word, the words, and the fields that change with it. */
  readonly index?: number
  readonly words?: readonly string[]
  readonly changed?: readonly string[]
  /** Of a store: whether the entry answers DMA after it. */
  readonly live?: boolean
  /** What becomes of DMA where it does not. */
  readonly instead?: 'DMA is refused' | 'DMA passes untranslated'
  /** Of an invalidation: its commands, which have completed before the next step. */
  readonly commands?: readonly PlannedCommand[]
}

export interface PlannedCommand {
  /** "vtd.qi.iotlb"; absent where the layout is not known. */
  readonly entry?: string
  readonly words: readonly string[]
  readonly text: string
}

/** The `iommu.diff/1` object. */
export interface PlannedChange {
  readonly schema: 'iommu.diff/1'
  readonly entry: string
  readonly changed: readonly ChangedField[]
  /** Whether the entry answers DMA throughout, where it does so before and after. */
  readonly hitless: boolean
  /** Invalidations that are waited for. */
  readonly syncs: number
  readonly stores: readonly PlannedStep[]
  readonly invalidations: readonly PlannedCommand[]
  /** Everything, in order. */
  readonly steps: readonly PlannedStep[]
}

/** A change of one field, with what its values mean where the layout names them. */
export const changedField = ({ fields }: Entry, { name, before, after }: Change): ChangedField => {
  const { [Number(before)]: was, [Number(after)]: is } = fields[name]?.meanings ?? {}
  return {
    name, before: hex(before), after: hex(after),
    ...(was === undefined && is === undefined ? {} : { meaning: [was ?? hex(before), is ?? hex(after)] as const }),
  }
}

const commandOf = ({ commandLayout }: Vendor, words: Words): PlannedCommand => {
  const layout = commandLayout(words)
  const about = { words: words.map(hexWord) }
  return layout === undefined ? { ...about, text: 'unknown' } : { entry: layout.name, ...about, text: renderLine(describe(layout, words)) }
}

/**
 * The fields that differ, and the ordered stores and invalidations that the change needs, as the driver plans them on
 * hardware without peculiarities. Throws InputError for an entry whose changes are not planned.
 */
export const planChange = async (owner: Entry, from: Words, to: Words, about: ChangeAbout): Promise<PlannedChange> => {
  const [vendor] = await vendorsOfName(owner.name) as [Vendor]
  const known = vendor.changes[owner.name]
  if (known === undefined) {
    throw new InputError({
      file: 'the arguments', place: 'the name of the entry', found: quoted(owner.name),
      expected: `one whose changes the driver plans: ${Object.keys(vendor.changes).join(', ')}`,
    })
  }
  const now = [...from]
  const spell = (step: ChangeStep): PlannedStep => {
    if (step.do === 'invalidate') return { do: step.do, commands: step.commands.map((words) => commandOf(vendor, words)) }
    if (step.do !== 'store') return { do: step.do }
    const before = [...now]
    step.words.forEach((word, index) => { now[step.index + index] = word })
    const live = known.isLive(now)
    return {
      do: 'store', index: step.index, words: step.words.map(hexWord),
      changed: diff(owner, before, now).map(({ name }) => name), live,
      ...(live ? {} : { instead: known.passes?.(now) === true ? 'DMA passes untranslated' : 'DMA is refused' }),
    }
  }
  const steps = known.plan(from, to, about).map(spell)
  const stores = steps.filter((step) => step.do === 'store')
  return {
    schema: 'iommu.diff/1',
    entry: owner.name,
    changed: diff(owner, from, to).map((change) => changedField(owner, change)),
    hitless: known.isLive(from) && known.isLive(to) && stores.every(({ live }) => live === true),
    syncs: steps.filter((step) => step.do === 'invalidate').length,
    stores,
    invalidations: steps.flatMap(({ commands = [] }) => commands),
    steps,
  }
}
