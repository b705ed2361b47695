// The words of each domain state: stream table entries, context descriptors, and what leads to them. Pure.
import { encode } from '@iommu/bits'
import type { Words } from '@iommu/bits'
import type { Format } from '@iommu/page-table'
import type { PointState } from '../devices/state.js'
import { STAGE_1_VMID } from '../programming/invalidate.js'
import {
  contextDescriptor, GRANULE_CODES, levelOneContext, levelOneStream, outputSizeOf, streamEntry,
} from '../tables/index.js'
import type { Capabilities, GranuleShift } from '../tables/index.js'

/**
 * Memory attributes by AttrIndx: 0 non-cacheable, 1 write-back, 2 device, 3 inner non-cacheable and outer write-back.
 * 4 to 7 are not used; Linux leaves them write-back, by extending the sign of the lower half.
 */
const MAIR = 0xffff_ffff_f404_ff44n
const WRITE_BACK = 1
const INNER_SHAREABLE = 3
const AS_INCOMING = 1
const CONFIG = { abort: 0, bypass: 4, stage1: 5, stage2: 6 } as const
const SUBSTREAM = { terminate: 0, bypass: 1, first: 2 } as const
/** S1Fmt: leaves of 1024 contexts. */
const LARGE_LEAVES = 2
const EATS_FULL = 1

/** Bits of address that a stage says that it puts out: 48 at the most, wider ones need 64 KiB granules. */
export const outputBitsOf = ({ outputBits }: Pick<Capabilities, 'outputBits'>): number => Math.min(outputBits, 48)

/** What of an SMMU and a device decides the words of a stream. */
export interface StreamFacts {
  readonly capabilities: Pick<Capabilities, 'attributeOverride' | 'stalls' | 'outputBits'>
  /** The device's ATS, where the entry allows it. */
  readonly ats: boolean
  /** The CD table: its address, how many contexts it has (log2), and whether in leaves. */
  readonly contexts: { readonly address: bigint; readonly max: number; readonly leaves: boolean } | undefined
}

/** What of a page table decides the words of stage 2. */
export interface StageTwoFacts {
  readonly format: Format
  readonly root: bigint
  readonly vmid: number
}

/** What of a page table decides a context. */
export interface ContextFacts {
  readonly capabilities: Pick<Capabilities, 'stalls' | 'outputBits'>
  readonly granule: GranuleShift
  readonly inputBits: number
  readonly root: bigint
  readonly asid: number
}

/** How the start level is told: 4 KiB 0 L2, 1 L1, 2 L0; others 0 L3, 1 L2, 2 L1. Formats count levels from the leaves. */
const startLevelOf = ({ granuleShift, levels }: Format): number => (granuleShift === 12 ? levels - 2 : levels - 1)

const stageTwoWords = ({ capabilities, ats }: StreamFacts, { format, root, vmid }: StageTwoFacts): Words => {
  // Without ATS only: a stalled translation request would never be answered.
  const stalls = capabilities.stalls === 'always'
  return encode(streamEntry, {
    V: 1, Config: CONFIG.stage2, EATS: ats && !stalls ? EATS_FULL : 0, SHCFG: capabilities.attributeOverride ? AS_INCOMING : 0,
    S2VMID: vmid, S2T0SZ: 64 - format.inputBits, S2SL0: startLevelOf(format), S2IR0: WRITE_BACK, S2OR0: WRITE_BACK,
    S2SH0: INNER_SHAREABLE, S2TG: GRANULE_CODES[format.granuleShift as GranuleShift], S2PS: outputSizeOf(outputBitsOf(capabilities)),
    S2AA64: 1, S2PTW: 1, S2S: stalls ? 1 : 0, S2R: 1, S2TTB: root,
  })
}

/** A stream that leads to its CD table: for stage 1, and for others where PASIDs are alive. */
const contextStreamWords = (facts: StreamFacts, S1DSS: number): Words => {
  const { capabilities, ats, contexts } = facts
  if (contexts === undefined) throw new RangeError('a stream without a CD table cannot have contexts')
  return encode(streamEntry, {
    V: 1, Config: CONFIG.stage1, S1Fmt: contexts.leaves ? LARGE_LEAVES : 0, S1ContextPtr: contexts.address, S1CDMax: contexts.max,
    S1DSS, S1CIR: WRITE_BACK, S1COR: WRITE_BACK, S1CSH: INNER_SHAREABLE, S2VMID: STAGE_1_VMID,
    S1STALLD: capabilities.stalls === 'optional' ? 1 : 0, EATS: ats ? EATS_FULL : 0,
    // Requests that bypass stage 1 keep their attributes, as in plain bypass.
    SHCFG: S1DSS === SUBSTREAM.bypass && capabilities.attributeOverride ? AS_INCOMING : 0,
  })
}

/** The stream table entry for what the requester id is on. `pasids`: contexts other than the first are alive. */
export const streamWords = (facts: StreamFacts, rid: PointState, pasids: boolean): Words => {
  switch (rid.kind) {
    case 'blocked': return pasids ? contextStreamWords(facts, SUBSTREAM.terminate) : abortWords()
    case 'bypass': return pasids ? contextStreamWords(facts, SUBSTREAM.bypass) : encode(streamEntry, {
      V: 1, Config: CONFIG.bypass, SHCFG: facts.capabilities.attributeOverride ? AS_INCOMING : 0,
    })
    case 'stage 1': return contextStreamWords(facts, SUBSTREAM.first)
    case 'stage 2': return stageTwoWords(facts, rid)
    default: return rid satisfies never
  }
}

/** Aborts without an event. New stream tables are full of it. */
export const abortWords = (): Words => encode(streamEntry, { V: 1, Config: CONFIG.abort })

/** A context descriptor with tables of its own. TTB1 is not used. */
export const contextWords = ({ capabilities, granule, inputBits, root, asid }: ContextFacts): Words => encode(contextDescriptor, {
  T0SZ: 64 - inputBits, TG0: GRANULE_CODES[granule], IR0: WRITE_BACK, OR0: WRITE_BACK, SH0: INNER_SHAREABLE, EPD1: 1, V: 1,
  IPS: outputSizeOf(outputBitsOf(capabilities)), AA64: 1, S: capabilities.stalls === 'always' ? 1 : 0, R: 1, A: 1, ASET: 1,
  ASID: asid, TTB0: root, MAIR,
})

/** What is left of a context whose address space has ended: every access faults, and nobody is told. */
export const endedContextWords = (words: Words): Words =>
  encode(contextDescriptor, { T0SZ: 0, TG0: 0, IR0: 0, OR0: 0, SH0: 0, EPD0: 1, R: 0, TTB0: 0n }, words)

/** A descriptor of level 1 that leads to 2^log2count stream table entries. */
export const levelOneStreamWords = (table: bigint, log2count: number): Words => encode(levelOneStream, { Span: log2count + 1, L2Ptr: table })

/** A descriptor of level 1 that leads to a leaf of contexts. */
export const levelOneContextWords = (table: bigint): Words => encode(levelOneContext, { V: 1, L2Ptr: table })
