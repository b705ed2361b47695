// What must be flushed, and in which order. Pure: facts of a change become commands.
import { encode } from '@iommu/bits'
import { aligned, coveringShift, sizedAddress, WHOLE_SPACE } from '@iommu/hardware'
import {
  atsInvalidate, COMMANDS, fence, invalidateDevice, invalidateFirstStage, invalidateProcess, invalidateSecondStage,
} from '../tables/index.js'
import type { Capabilities } from '../tables/index.js'
import type { Command, Flushes } from './plan.js'

/** Under what a domain's translations are cached: its PSCID, or for second-stage tables its GSCID. */
export interface PageTag {
  readonly id: number
  readonly secondStage: boolean
}

/** Everything before it is complete, and what requests have read and written is globally visible. */
export const fenceCommand = (): Command => encode(fence, { ...COMMANDS.fence, PR: 1, PW: 1 })

/** Without a source: all device contexts, directory entries and process contexts. */
export const forgetDevice = (source?: number): Command => encode(invalidateDevice, {
  ...COMMANDS.invalidateDevice, ...(source === undefined ? {} : { DV: 1, DID: source }),
})

const forgetProcess = (source: number, pasid: number): Command =>
  encode(invalidateProcess, { ...COMMANDS.invalidateProcess, DV: 1, DID: source, PID: pasid })

/** Every first-stage translation of the host, and every second-stage one. */
export const flushAll = (): readonly Command[] => [
  encode(invalidateFirstStage, COMMANDS.invalidateFirstStage),
  encode(invalidateSecondStage, COMMANDS.invalidateSecondStage),
]

/** What a device has cached, of a range or of everything. PASID 0 takes the form without PASID. */
export const flushDeviceTlb = (source: number, pasid: number, range?: { readonly start: bigint; readonly end: bigint }): Command => {
  const shift = range === undefined ? WHOLE_SPACE : coveringShift(range.start, range.end)
  return encode(atsInvalidate, {
    ...COMMANDS.atsInvalidate, RID: source, ...(pasid === 0 ? {} : { PV: 1, PID: pasid }),
    S: shift > 12 ? 1 : 0, UADDR: sizedAddress(range?.start ?? 0n, shift),
  })
}

/** A device context goes or changes. Its process contexts go with it. Then the device's own TLB, by PASID. */
export const flushDevice = (source: number, tlbs: readonly number[]): Flushes => ({
  context: [forgetDevice(source)],
  removed: [tlbs.map((each) => flushDeviceTlb(each, 0))],
})

/** A process context, which a device and its aliases share. */
export const flushProcess = (sources: readonly number[], pasid: number, tlbs: readonly number[]): Flushes => ({
  context: sources.map((source) => forgetProcess(source, pasid)),
  removed: [tlbs.map((each) => flushDeviceTlb(each, pasid))],
})

/** Everything under a tag: its pages and the tables on the way to them. */
export const flushTag = ({ id, secondStage }: PageTag): Command => (secondStage
  ? encode(invalidateSecondStage, { ...COMMANDS.invalidateSecondStage, GV: 1, GSCID: id })
  : encode(invalidateFirstStage, { ...COMMANDS.invalidateFirstStage, PSCV: 1, PSCID: id }))

/** Commands for one range, at the most; beyond that everything under the tag goes (Linux: 512). */
const MOST = 512

/**
 * Pages of a tag, both ends inclusive. `stride` is the size of the smallest page among them: an address names the whole
 * leaf that it lies in. `leavesOnly`: no table was freed, and hardware may keep what leads to the leaves.
 */
export const flushPages = (
  tag: PageTag, start: bigint, end: bigint, stride: bigint, leavesOnly: boolean, { ranges, nonLeaf }: Pick<Capabilities, 'ranges' | 'nonLeaf'>,
): readonly Command[] => {
  if (!leavesOnly && !nonLeaf) return [flushTag(tag)]
  const page = (ADDR: bigint, S: number): Command => {
    const fields = { AV: 1, ADDR, S, NL: leavesOnly ? 0 : 1 }
    return tag.secondStage
      ? encode(invalidateSecondStage, { ...COMMANDS.invalidateSecondStage, ...fields, GV: 1, GSCID: tag.id })
      : encode(invalidateFirstStage, { ...COMMANDS.invalidateFirstStage, ...fields, PSCV: 1, PSCID: tag.id })
  }
  const shift = coveringShift(start, end)
  if (ranges && shift > 12 && shift < WHOLE_SPACE) return [page(sizedAddress(start, shift), 1)]
  const count = (end - start) / stride + 1n
  if (count > BigInt(MOST)) return [flushTag(tag)]
  return Array.from({ length: Number(count) }, (_, index) => page(aligned(start, 12) + BigInt(index) * stride, 0))
}
