// What deviations of QEMU's VT-d are made of: the smallest plans, and the ways in which an answer differs.
import { codeOf, withCode } from '../deviation.js'
import { fieldOf, setField } from '../plan.js'
import type { Tweak } from '../plan.js'
import type { Deviation, Probe, Seen } from '../subject.js'
import { vtdLegacy } from '@iommu/machine-qemu'
import type { VtdPlan, WayPoint } from './plan.js'

export type Mode = VtdPlan['mode']
export type VtdDeviation = Deviation<VtdPlan>
export type VtdSeen = Seen<VtdPlan>

/** The smallest plan: one page, and what is to be shown. */
export const onePage = (mode: Mode, change: Partial<VtdPlan> = {}, entries: Readonly<Record<number, Tweak>> = {}): VtdPlan => ({
  class: 'reproduction', source: 0x20, mode, levels: 4, way: {}, pages: [{ iova: 0x20_0000n, level: 1, target: vtdLegacy.data.start, entries }], ...change,
})

export const probe = (access: Probe['access'], address = 0x20_0000n): Probe => ({ source: 0x20, address, access })

interface OtherCode {
  /** What the specification says of it. */
  readonly means: string
  readonly spec: number
  readonly qemu: number
  readonly plan: VtdPlan
  readonly access?: Probe['access']
  readonly address?: bigint
  readonly series?: readonly string[]
}

/** QEMU records another code; nothing else differs. */
export const otherCode = (id: string, { means, spec, qemu, plan, access, address, series }: OtherCode): VtdDeviation => ({
  id,
  says: `${means}: QEMU records 0x${qemu.toString(16)}, the specification has 0x${spec.toString(16)} for it`,
  ...(series === undefined ? {} : { series }),
  answer(seen) {
    const meant = codeOf(seen) === spec && (access === undefined || seen.probe.access === access)
    return meant ? withCode(seen.answer, qemu) : undefined
  },
  reproduce: () => ({ plan, probes: [probe(access ?? 'read', address)] }),
})

export const way = (mode: Mode, point: WayPoint, tweak: Tweak): VtdPlan => onePage(mode, { way: { [point]: tweak } })

export const NOWHERE = 0x40_0000_0000n

const FPD_POINTS = ['context', 'directory', 'pasid'] as const

export const loudly = (plan: VtdPlan): VtdPlan => FPD_POINTS.reduce<VtdPlan>((all, point) =>
  (fieldOf(all, point, 'FPD') === 1 ? setField(all, point, 'FPD', 0) : all), plan)

/** Faults that FPD does not silence in QEMU. */
export const recordedAnyway = (
  id: string, says: string, codes: readonly number[], plan: VtdPlan,
  more: { readonly where?: (plan: VtdPlan) => boolean; readonly series?: readonly string[] } = {},
): VtdDeviation => ({
  id,
  says,
  ...(more.series === undefined ? {} : { series: more.series }),
  answer(seen) {
    const { answer, plan: asked } = seen
    if (more.where?.(asked) === false || answer.where !== 'blocked' || answer.records.length > 0 || loudly(asked) === asked) return undefined
    const loud = seen.asIf(loudly(asked))
    return loud.records[0] !== undefined && codes.includes(loud.records[0].code) ? loud : undefined
  },
  reproduce: () => ({ plan, probes: [probe('read')] }),
})
