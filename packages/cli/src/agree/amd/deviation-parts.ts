// What deviations of QEMU's AMD-Vi are made of: the smallest plans.
import { amdVi } from '@iommu/machine-qemu'
import type { Tweak } from '../plan.js'
import type { Deviation, Probe, Seen } from '../subject.js'
import type { AmdPlan, WayPoint } from './plan.js'

export type AmdDeviation = Deviation<AmdPlan>

const SOURCE = 0x20
export const IOVA = 0x20_0000n

/** The smallest plan: one page, and what is to be shown. */
export const onePage = (change: Partial<AmdPlan> = {}, entries: Readonly<Record<number, Tweak>> = {}): AmdPlan => ({
  class: 'reproduction', source: SOURCE, levels: 3, way: {},
  pages: [{ iova: IOVA, level: 1, shift: 12, target: amdVi.data.start, entries }], ...change,
})
export const way = (point: WayPoint, tweak: Tweak): AmdPlan => onePage({ way: { [point]: tweak } })
export const probe = (access: Probe['access'], address = IOVA, source = SOURCE): Probe => ({ source, address, access })

export const GRANTS = ['IR', 'IW']

/** QEMU keeps what it has found by device and 4 KiB of addresses, whatever the page's size. */
const KEPT_SHIFT = 12n

/** Whether a translation was found before that answers the probe. */
export const isKept = ({ probe: { address }, before }: Pick<Seen<AmdPlan>, 'probe' | 'before'>): boolean =>
  before.some((each) => each.address >> KEPT_SHIFT === address >> KEPT_SHIFT)
