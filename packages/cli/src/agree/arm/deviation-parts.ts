// What deviations of QEMU's SMMU are made of: the smallest plans, and the ways in which an answer differs.
import { decode } from '@iommu/bits'
import { smmuv3 } from '@iommu/machine-qemu'
import { armStage1Entry, armStage2Entry } from '@iommu/page-table'
import { pageAt } from '../addresses.js'
import { plainFields } from '../plan.js'
import type { Page, Tweak } from '../plan.js'
import type { Answer, Deviation, Probe, Seen } from '../subject.js'
import { shiftOf } from './plan.js'
import type { ArmPlan, WayPoint } from './plan.js'

export type ArmDeviation = Deviation<ArmPlan>
export type ArmSeen = Seen<ArmPlan>
export type Stage = ArmPlan['stage']

const SOURCE = 0x20
const IOVA = 0x20_0000n
/** The same page in the upper half of 39 bits. */
export const UPPER_IOVA = (1n << 64n) - (1n << 39n) + IOVA

/** The smallest plan: one page of 4 KiB, and what is to be shown. */
export const onePage = (stage: Stage, change: Partial<ArmPlan> = {}, entries: Readonly<Record<number, Tweak>> = {}): ArmPlan => ({
  class: 'reproduction', source: SOURCE, stage, granule: 12, inputBits: 39, levels: 3, upper: false, way: {},
  pages: [{ iova: IOVA, level: 1, target: smmuv3.data.start, entries }], ...change,
})
export const way = (stage: Stage, point: WayPoint, tweak: Tweak): ArmPlan => onePage(stage, { way: { [point]: tweak } })
export const probe = (access: Probe['access'], address = IOVA): Probe => ({ source: SOURCE, address, access })

/** The entry that says whether faults are recorded, and its field. */
const RECORDS = { 1: ['context', 'R'], 2: ['stream', 'S2R'] } as const

/** What is recorded where the plan did not ask for silence. */
export const aloud = (seen: ArmSeen): Answer => {
  const [point, name] = RECORDS[seen.plan.stage]
  const loud = plainFields(seen.plan, point, [name])
  return loud === undefined ? seen.answer : seen.asIf(loud)
}

/** The entries of the walk, as read, the root's first. */
export const entriesOf = (
  { steps, plan: { stage } }: ArmSeen,
): readonly { readonly Valid: number; readonly Table: number; readonly OA: bigint; readonly APTable: number }[] =>
  (stage === 1 ? steps.filter(({ entry }) => entry === armStage1Entry.name).map(({ words }) => decode(armStage1Entry, words))
    : steps.filter(({ entry }) => entry === armStage2Entry.name).map(({ words }) => ({ ...decode(armStage2Entry, words), APTable: 0 })))

/** The entry that the walk ended with, as read, and its level. */
export const lastRead = (seen: ArmSeen): { readonly last: ReturnType<typeof entriesOf>[number] | undefined; readonly level: number } => {
  const entries = entriesOf(seen)
  return { last: entries.at(-1), level: seen.plan.levels - entries.length + 1 }
}

/** Whether a table's entry says that it is a block: it has neither an access flag nor permissions then. */
export const isBlockForTable = ({ fields }: Tweak, level: number, page: Page): boolean =>
  level > page.level && fields?.['Table'] === 0

/** Whether a translation of the page was found before, and is kept. */
export const isKept = ({ plan, probe: { address, pasid }, before }: ArmSeen): boolean => {
  const at = (each: bigint): Page | undefined => pageAt(plan.pages, each, ({ level }) => shiftOf(plan, level))
  const page = at(address)
  return page !== undefined && before.some((each) => each.pasid === pasid && at(each.address) === page)
}
