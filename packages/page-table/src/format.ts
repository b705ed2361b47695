// A format: everything that the engine and the walker must know of a table format, as plain numbers.
// The file is long because every number is named three times: for readers, for factories, and where it is derived.
import { join, maskOf, pairOf, usedMask } from '@iommu/bits'
import type { Entry, Run } from '@iommu/bits'
import { FLAT_SHIFT, WORD_SHIFT } from './pairs.js'
import type { ABSENT, ADDRESS_SIZE, RESERVED } from './status.js'
import type { Walking } from './walking.js'

/**
 * Int32 numbers by index. An Int32Array underneath: it cannot be frozen, so the type forbids writing, and reading
 * one is several times faster than reading a frozen array.
 */
export interface Lane {
  readonly [index: number]: number
  readonly length: number
}

/** One number per level; index 1 is the level of the smallest pages, index 0 is unused. */
export type PerLevel = Lane

/** One number per size of page or of what an entry covers: by log2 of bytes, 0 to 63. */
export type PerShift = Lane

/**
 * A table format as numbers, derived from its layout. All formats have this one shape, so that one engine and one
 * walker stay monomorphic however many formats live in a process.
 *
 * `Low` and `High` are the signed 32-bit halves of a 64-bit entry. Levels count from 1 (smallest pages) up to
 * `levels` (the root). Page sizes and shifts are log2 of bytes.
 */
export interface Format {
  /** Name of the layout that it was derived from, "vtd.ss"; for people. */
  readonly name: string
  /** Levels of a whole tree. Tables that grow may begin with fewer. */
  readonly levels: number
  /** Size of a table and of the smallest page. */
  readonly granuleShift: number
  /** Index bits of a table below the root. */
  readonly bitsPerLevel: number
  /** Index bits of the root: more than `bitsPerLevel` where several tables are concatenated, fewer where addresses end. */
  readonly rootBits: number
  /** Bits of an address that the tables translate. */
  readonly inputBits: number
  /** Bits of an address that may be mapped: one less where the upper half belongs to somebody else. */
  readonly apertureBits: number
  /** 1: addresses are canonical, bits above `inputBits` repeat its highest bit. 0: they are zero. */
  readonly signExtended: number
  /** Physical address width; no entry may hold an address bit from here on. */
  readonly addressBits: number

  /** An entry is absent where its lower half has none of these bits. */
  readonly present: number
  /** Where an entry holds an address, shifted right by `addressShift`. In a leaf without the bits below the page size. */
  readonly addressLow: number
  readonly addressHigh: number
  readonly addressShift: number
  /** Bits 15:12 where an entry holds address bits 51:48 there, else 0. */
  readonly foldLow: number
  /** Software's note in a table entry that it has been written back, for walkers that do not snoop. */
  readonly writtenBackLow: number
  readonly writtenBackHigh: number
  /** Leaf bit that makes every access snoop the caches; 0 where the format has none. */
  readonly snoopLow: number
  readonly snoopHigh: number
  /** Where an entry names the level of the next table, and leaves with all of it set hold their size; else 0. */
  readonly nextLevelLow: number
  readonly nextLevelShift: number
  /** Lowest address bit that indexes a table of the level: log2 of what one entry covers. */
  readonly shift: PerLevel
  /** A present entry is a table where these bits of its lower half have this value. Never so at level 1. */
  readonly linkMask: PerLevel
  readonly linkValue: PerLevel
  /** If it is no table, it is a leaf of the level's size where these bits have this value; never where it has no leaves. */
  readonly leafMask: PerLevel
  readonly leafValue: PerLevel
  /** Attributes of an entry of the level that points to a table. */
  readonly tableLow: PerLevel
  readonly tableHigh: PerLevel
  /** The same as numbers: `usualLow` and as often `usualStep` as the level says, and `usualHigh`. Hot paths read no array per level. */
  readonly usualLow: number
  readonly usualStep: number
  readonly usualHigh: number
  /** And at the levels of paths that are written out; 0 where there is no such level. */
  readonly usual2: number
  readonly usual3: number
  readonly usual4: number
  /** Bits by which the lower half of a table entry of any level can differ, for hardware, from one with these attributes. */
  readonly checkLow: number
  /** The same of both halves, with the address bits that are zero where the table lies in the first 2 GiB, as all of flat memory does. */
  readonly nearLow: number
  readonly nearHigh: number
  /** Where a table entry holds the address of a near table, and by how much that is shifted right to count in 32-bit words. */
  readonly pointerLow: number
  readonly wordShift: number
  /** Index bits of the root, in words: two to an entry. */
  readonly rootMask: number
  /** The level whose entries hold pages of this size; 0 where there are none. */
  readonly leafLevel: PerShift
  /** What a page of this size adds to a leaf's attributes. */
  readonly sizeLow: PerShift
  readonly sizeHigh: PerShift
  /** Ones below the bit. */
  readonly offsetLow: PerShift
  readonly offsetHigh: PerShift

  /** Attributes of a leaf, by ACCESS_READ | ACCESS_WRITE | ACCESS_NO_EXECUTE. */
  readonly accessLow: Lane
  readonly accessHigh: Lane

  /** What it was derived from, and where `walkingOf` keeps what walks need besides. */
  readonly parts: FormatParts
  readonly kept: { walking: Walking | undefined }
}

export const ACCESS_READ = 1
export const ACCESS_WRITE = 2
export const ACCESS_NO_EXECUTE = 4

/** Bits of an entry, as one unsigned 64-bit word. */
export type Mask = bigint

/** Ones over the named fields of a one-word layout; zero where none is named. Throws RangeError for an unknown name. */
export const maskFor = (layout: Entry, ...names: readonly string[]): Mask => {
  const unknown = names.find((name) => !Object.hasOwn(layout.fields, name))
  if (unknown !== undefined) throw new RangeError(`${layout.name} has no field ${unknown}`)
  return names.length === 0 ? 0n : join(layout, usedMask(layout, names))
}

/** What one level's entries can be. */
export interface Kinds {
  /** The bits that tell tables from leaves. */
  readonly mask: Mask
  /** Their value in an entry that points to a table; not asked at level 1. */
  readonly table: Mask
  /** Their value in a leaf of the level's size, if not all that is no table is one; not asked where the level has none. */
  readonly leaf?: Mask
}

/** Tables and leaves told apart by a Page Size bit, which means something else at level 1. */
export const bySizeBit = (pageSize: Mask): ((level: number) => Kinds) =>
  (level) => ({ mask: level === 1 ? 0n : pageSize, table: 0n })

/** Which bits grant what, in leaves or in tables. */
export interface Grants {
  /** Bits that forbid where they are set. */
  readonly invert: Mask
  readonly read: Mask
  readonly write: Mask
  readonly execute: Mask
  /** Execution by requests with privilege; as `execute` where absent. */
  readonly privileged?: Mask
  readonly user: Mask
}

/** What a format's factory says; `deriveFormat` turns it into numbers. */
export interface FormatParts {
  readonly layout: Entry
  /** Allowed depths, and the one chosen. */
  readonly depths: readonly number[]
  readonly levels: number
  /** 12 and 9 where absent: 4 KiB tables of 8-byte entries. */
  readonly granuleShift?: number
  readonly bitsPerLevel?: number
  readonly rootBits?: number
  /** Whether addresses are canonical; then only the lower half may be mapped. */
  readonly signExtended?: boolean
  readonly leafShifts: readonly number[]
  readonly addressBits: number
  readonly address: Mask
  /** By how much addresses are shifted right in entries; 0 where absent. */
  readonly addressShift?: number
  /** Bits 15:12 where these hold address bits 51:48. */
  readonly fold?: Mask
  readonly present: Mask
  readonly kinds: (level: number) => Kinds
  /** What an entry that is neither table nor leaf is; RESERVED where absent. */
  readonly stray?: typeof RESERVED | typeof ABSENT
  /** What an address is that is too wide; RESERVED where absent. */
  readonly beyond?: typeof RESERVED | typeof ADDRESS_SIZE
  /** Attributes of an entry of the level that points to a table. */
  readonly table: (level: number) => Mask
  readonly writtenBack: Run
  readonly snoop: Mask
  /** Zero where absent: nothing is asked of a leaf. */
  readonly accessed?: Mask
  /** The field that names the level of the next table; leaves with all of it set hold their size in their address. */
  readonly nextLevel?: Run
  /** Of leaves, and of tables where these differ. */
  readonly grants: Grants
  readonly tableGrants?: Grants
  /** Attributes of a leaf without those of its size and without snoop. */
  readonly leaf: (access: { readonly read: boolean; readonly write: boolean; readonly noExecute: boolean }) => Mask
  /** Attributes that a leaf has because of its size. */
  readonly size: (shift: number, level: number) => Mask
  /** Reserved in a table entry of the level, and in every leaf, whatever its level. */
  readonly tableReserved: (level: number, hasLeaf: boolean) => Mask
  readonly leafReserved: Mask
  /** Address bits of a large leaf that are not checked to be zero although they lie below the page size. */
  readonly largeUnchecked: Mask
}

const SHIFTS = 64
/** Nothing matches it. */
const NEVER = { mask: 0n, value: 1n }
const bitsBelow = (bit: number): bigint => (1n << BigInt(bit)) - 1n

/** Words by index, as lanes of their halves. */
export const halves = (words: readonly bigint[]): { readonly low: Lane; readonly high: Lane } => ({
  low: Int32Array.from(words, (word) => pairOf(word).low),
  high: Int32Array.from(words, (word) => pairOf(word).high),
})

/** The level whose entries hold pages of this size. */
const levelOf = (shift: number, { granuleShift = 12, bitsPerLevel = 9 }: FormatParts): number =>
  Math.floor((shift - granuleShift) / bitsPerLevel) + 1

const check = (parts: FormatParts): void => {
  const { depths, levels, leafShifts, addressBits, granuleShift = 12, bitsPerLevel = 9, nextLevel, addressShift = 0 } = parts
  const { name } = parts.layout
  if (!depths.includes(levels)) throw new RangeError(`${name}: ${levels} levels; it has ${depths.join(', ')}`)
  if (!leafShifts.includes(granuleShift)) {
    throw new RangeError(`${name}: leaves of 2^${leafShifts.join(', 2^')} bytes; 2^${granuleShift} must be among them`)
  }
  for (const shift of leafShifts) {
    const level = levelOf(shift, parts)
    const natural = (shift - granuleShift) % bitsPerLevel === 0
    if (level < 1 || level > levels || shift > 51 || (nextLevel === undefined && !natural)) {
      throw new RangeError(`${name}: no level has leaves of 2^${shift} bytes`)
    }
  }
  if (pairOf(parts.present).high !== 0) throw new RangeError(`${name}: the bits that make an entry present lie above bit 31`)
  const most = 52 + addressShift * 2
  if (!Number.isInteger(addressBits) || addressBits < 32 || addressBits > most) {
    throw new RangeError(`${name}: physical addresses of ${addressBits} bits; 32 to ${most} are possible`)
  }
}

/** What the numbers of a format are derived from, level by level. */
export interface Shape {
  /** 0 to the root's. */
  readonly levels: readonly number[]
  shiftAt(level: number): number
  kindsAt(level: number): Kinds
  /** Bits and their value that make an entry a leaf of the level's size. */
  leafAt(level: number): { readonly mask: Mask; readonly value: Mask }
  /** Reserved in a table entry of the level. */
  tableReservedAt(level: number): Mask
  /** Where an entry holds the address bits below one. */
  heldBelow(bit: number): Mask
  /** Address bits that no entry may hold. */
  readonly beyond: Mask
  /** All that a table entry can grant. */
  readonly granted: Mask
}

export const shapeOf = (parts: FormatParts): Shape => {
  const { granuleShift = 12, bitsPerLevel = 9, addressShift = 0, fold = 0n } = parts
  const { read, write, execute, privileged = execute, user } = parts.tableGrants ?? parts.grants
  const shiftAt = (level: number): number => granuleShift + Math.max(level - 1, 0) * bitsPerLevel
  const hasLeaf = (level: number): boolean => level > 0 && parts.leafShifts.includes(shiftAt(level))
  const kindsAt = (level: number): Kinds => parts.kinds(Math.max(level, 1))
  const heldBelow = (bit: number): Mask => parts.address & (bitsBelow(bit) >> BigInt(addressShift))
  const beyond = parts.address & ~heldBelow(parts.addressBits) & ~fold
  return {
    levels: Array.from({ length: parts.levels + 1 }, (_, level) => level),
    shiftAt, kindsAt, heldBelow, beyond,
    leafAt(level) {
      const { mask, leaf } = kindsAt(level)
      return !hasLeaf(level) ? NEVER : leaf === undefined ? { mask: 0n, value: 0n } : { mask, value: leaf }
    },
    tableReservedAt: (level) => beyond | parts.tableReserved(level, hasLeaf(level)),
    granted: read | write | execute | privileged | user,
  }
}

/** Derives a format's numbers. Throws RangeError for a depth, leaf size or address width that the format has not. */
export const deriveFormat = (parts: FormatParts): Format => {
  check(parts)
  const { layout, levels, granuleShift = 12, bitsPerLevel = 9, rootBits = bitsPerLevel, signExtended = false } = parts
  const { fold = 0n, addressShift = 0, nextLevel } = parts
  const { levels: each, shiftAt, kindsAt, leafAt, tableReservedAt, beyond, granted } = shapeOf(parts)
  const inputBits = granuleShift + (levels - 1) * bitsPerLevel + rootBits
  const shifts = Array.from({ length: SHIFTS }, (_, shift) => shift)
  const links = each.map((level) => (level < 2 ? NEVER : { mask: kindsAt(level).mask, value: kindsAt(level).table }))
  const leaves = each.map(leafAt)

  const address = pairOf(parts.address & ~fold)
  const writtenBack = pairOf(maskOf([parts.writtenBack]))
  const snoop = pairOf(parts.snoop)
  const table = halves(each.map((level) => parts.table(level)))
  const usual = usualOf(layout.name, levels, table.low, table.high)
  const checked = pairOf(each.slice(2).reduce((all, level) => all | kindsAt(level).mask | tableReservedAt(level),
    parts.present | beyond | fold | granted))
  const near = pairOf(parts.address & ~bitsBelow(FLAT_SHIFT - addressShift))
  const isLeaf = (shift: number): boolean => parts.leafShifts.includes(shift)
  const size = halves(shifts.map((shift) => (isLeaf(shift) ? parts.size(shift, levelOf(shift, parts)) : 0n)))
  const offset = halves(shifts.map((shift) => bitsBelow(shift)))
  const access = halves(Array.from({ length: 8 }, (_, bits) => parts.leaf({
    read: (bits & ACCESS_READ) !== 0, write: (bits & ACCESS_WRITE) !== 0, noExecute: (bits & ACCESS_NO_EXECUTE) !== 0,
  })))

  return Object.freeze({
    name: layout.name,
    levels,
    granuleShift,
    bitsPerLevel,
    rootBits,
    inputBits,
    apertureBits: signExtended ? inputBits - 1 : inputBits,
    signExtended: signExtended ? 1 : 0,
    addressBits: parts.addressBits,
    present: pairOf(parts.present).low,
    addressLow: address.low, addressHigh: address.high, addressShift,
    foldLow: pairOf(fold).low,
    writtenBackLow: writtenBack.low, writtenBackHigh: writtenBack.high,
    snoopLow: snoop.low, snoopHigh: snoop.high,
    nextLevelLow: nextLevel === undefined ? 0 : pairOf(maskOf([nextLevel])).low,
    nextLevelShift: nextLevel === undefined ? 0 : nextLevel[1],
    shift: Int32Array.from(each, shiftAt),
    linkMask: halves(links.map(({ mask }) => mask)).low, linkValue: halves(links.map(({ value }) => value)).low,
    leafMask: halves(leaves.map(({ mask }) => mask)).low, leafValue: halves(leaves.map(({ value }) => value)).low,
    tableLow: table.low, tableHigh: table.high,
    usualLow: usual.usualLow, usualStep: usual.usualStep, usualHigh: usual.usualHigh,
    usual2: table.low[2] ?? 0, usual3: table.low[3] ?? 0, usual4: table.low[4] ?? 0,
    checkLow: checked.low,
    nearLow: checked.low | near.low, nearHigh: checked.high | near.high,
    pointerLow: pairOf(parts.address & bitsBelow(FLAT_SHIFT - addressShift)).low, wordShift: WORD_SHIFT - addressShift,
    rootMask: (2 << rootBits) - 2,
    leafLevel: Int32Array.from(shifts, (shift) => (isLeaf(shift) ? levelOf(shift, parts) : 0)),
    sizeLow: size.low, sizeHigh: size.high,
    offsetLow: offset.low, offsetHigh: offset.high,
    accessLow: access.low, accessHigh: access.high,
    parts, kept: { walking: undefined },
  })
}

/** Throws RangeError where attributes of tables do not follow from the level as `usualLow` says: hot paths rely on it. */
const usualOf = (name: string, levels: number, low: Lane, high: Lane): Pick<Format, 'usualLow' | 'usualStep' | 'usualHigh'> => {
  const usualStep = levels > 2 ? (low[3] as number) - (low[2] as number) : 0
  const usualLow = levels > 1 ? (low[2] as number) - 2 * usualStep : 0
  const usualHigh = levels > 1 ? high[2] as number : 0
  for (let level = 2; level <= levels; level++) {
    if (low[level] !== usualLow + level * usualStep || high[level] !== usualHigh) {
      throw new RangeError(`${name}: the attributes of its tables do not follow from the level`)
    }
  }
  return { usualLow, usualStep, usualHigh }
}
