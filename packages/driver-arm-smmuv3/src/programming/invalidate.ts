// What must be flushed, and in which order. Pure: facts of a change become commands.
import { encode } from '@iommu/bits'
import { aligned, coveringShift } from '@iommu/hardware'
import type { PageRange } from '@iommu/page-table'
import {
  ATC_INV_ALL, atcInvCommand, CFGI_ALL_RANGE, cfgiCdCommand, cfgiSteCommand, cfgiSteRangeCommand, OPCODES, resumeCommand,
  SYNC_SIGNALS, syncCommand, tlbiEl2AllCommand, tlbiNhAsidCommand, tlbiNhVaCommand, tlbiNsnhAllCommand, tlbiS12VmallCommand, tlbiS2IpaCommand,
} from '../tables/index.js'
import type { Capabilities, GranuleShift } from '../tables/index.js'
import type { Command } from './plan.js'

/** Under which tag translations are cached: an ASID for stage 1, a VMID for stage 2. */
export interface Tag {
  readonly stage: 1 | 2
  readonly id: number
}

/** Stage 1 entries are tagged with a VMID too; streams without stage 2 have this one. */
export const STAGE_1_VMID = 0

/** Everything before it is complete once CONS has passed it. */
export const sync = (): Command => encode(syncCommand, { Opcode: OPCODES.sync, CS: SYNC_SIGNALS.none })

export const cfgiAll = (): Command =>
  encode(cfgiSteRangeCommand, { Opcode: OPCODES.cfgiSteRange, Range: CFGI_ALL_RANGE })

export const cfgiStream = (source: number, leafOnly: boolean): Command =>
  encode(cfgiSteCommand, { Opcode: OPCODES.cfgiSte, SID: source, Leaf: leafOnly ? 1 : 0 })

export const cfgiContext = (source: number, pasid: number, leafOnly: boolean): Command =>
  encode(cfgiCdCommand, { Opcode: OPCODES.cfgiCd, SID: source, SSID: pasid, Leaf: leafOnly ? 1 : 0 })

export const tlbiEverything = (): Command => encode(tlbiNsnhAllCommand, { Opcode: OPCODES.tlbiNsnhAll })

export const tlbiHypervisor = (): Command => encode(tlbiEl2AllCommand, { Opcode: OPCODES.tlbiEl2All })

/** Ends a DMA that waits for an answer. */
export const terminate = (source: number, tag: number): Command =>
  encode(resumeCommand, { Opcode: OPCODES.resume, Ab: 1, SID: source, STAG: tag })

/** What makes hardware forget a stream's entry. */
export const syncStream = (source: number): readonly Command[] => [cfgiStream(source, true)]

/** What makes hardware forget a context of streams that share their CD table. */
export const syncContext = (sources: readonly number[], pasid: number): readonly Command[] =>
  sources.map((source) => cfgiContext(source, pasid, true))

/** Everything under a tag. */
export const flushTag = ({ stage, id }: Tag): readonly Command[] => [stage === 1
  ? encode(tlbiNhAsidCommand, { Opcode: OPCODES.tlbiNhAsid, VMID: STAGE_1_VMID, ASID: id })
  : encode(tlbiS12VmallCommand, { Opcode: OPCODES.tlbiS12Vmall, VMID: id })]

/** TG of commands, by granule. */
const RANGE_GRANULES = { 12: 1, 14: 2, 16: 3 } as const satisfies Record<GranuleShift, number>
/** Where commands would be more than these, without ranges, everything under the tag goes. */
const MOST_SINGLE = 512n

interface Range { readonly NUM?: number; readonly SCALE?: number; readonly TG?: number }

const byAddress = ({ stage, id }: Tag, Address: bigint, leavesOnly: boolean, range: Range): Command => {
  const common = { Address, Leaf: leavesOnly ? 1 : 0, ...range }
  return stage === 1
    ? encode(tlbiNhVaCommand, { Opcode: OPCODES.tlbiNhVa, VMID: STAGE_1_VMID, ASID: id, ...common })
    : encode(tlbiS2IpaCommand, { Opcode: OPCODES.tlbiS2Ipa, VMID: id, ...common })
}

/**
 * A range as commands of (NUM+1) * 2^SCALE granules each, five bits of the count at a time (Linux,
 * arm_smmu_inv_to_cmdq_batch). TTL is never told: a gather may hold pages of several sizes. A single granule is told
 * in the form without range, since TG with NUM, SCALE and TTL of 0 is illegal.
 */
const ranges = (tag: Tag, start: bigint, count: bigint, granule: GranuleShift, leavesOnly: boolean): Command[] => {
  const commands: Command[] = []
  let at = start
  for (let left = count; left > 0n;) {
    let scale = 0
    while (((left >> BigInt(scale)) & 1n) === 0n) scale++
    const number = Number((left >> BigInt(scale)) & 31n)
    const single = number === 1 && scale === 0
    commands.push(byAddress(tag, at, leavesOnly, single ? {} : { NUM: number - 1, SCALE: scale, TG: RANGE_GRANULES[granule] }))
    const covered = BigInt(number) << BigInt(scale)
    at += covered << BigInt(granule)
    left -= covered
  }
  return commands
}

/** Pages under a tag. */
export const flushPages = (
  tag: Tag, { start, end, pageSize, leavesOnly }: PageRange, granule: GranuleShift, { rangeInvalidation }: Capabilities,
): readonly Command[] => {
  const stride = rangeInvalidation ? 1n << BigInt(granule) : pageSize
  const first = start & ~(stride - 1n)
  const count = (end - first) / stride + 1n
  if (rangeInvalidation) return ranges(tag, first, count, granule, leavesOnly)
  if (count > MOST_SINGLE) return flushTag(tag)
  return Array.from({ length: Number(count) }, (_, index) => byAddress(tag, first + BigInt(index) * stride, leavesOnly, {}))
}

/** Everything that a device holds under a PASID (0: none). */
export const flushDevice = (source: number, pasid: number): Command => encode(atcInvCommand, {
  Opcode: OPCODES.atcInv, SID: source, Size: ATC_INV_ALL, ...(pasid === 0 ? {} : { SSV: 1, SSID: pasid }),
})

/** Everything that a device holds, whatever the PASID. */
export const flushWholeDevice = (source: number): Command =>
  encode(atcInvCommand, { Opcode: OPCODES.atcInv, SID: source, Global: 1, Size: ATC_INV_ALL })

/** The same pages in a device's own TLB: one aligned power of two of 4 KiB pages around them. */
export const flushDevicePages = (source: number, pasid: number, start: bigint, end: bigint): Command => {
  const shift = coveringShift(start, end)
  return encode(atcInvCommand, {
    Opcode: OPCODES.atcInv, SID: source, Size: shift - 12, Address: aligned(start, shift), ...(pasid === 0 ? {} : { SSV: 1, SSID: pasid }),
  })
}
