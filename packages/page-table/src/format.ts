// A format: everything that the engine and the walker must know of a table format, as plain numbers.
import { join, maskOf, pairOf, usedMask } from '@iommu/bits'
import type { Entry, Run } from '@iommu/bits'

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
  readonly levels: number
  /** Size of a table and of the smallest page. */
  readonly granuleShift: number
  /** Index bits of a table below the root. */
  readonly bitsPerLevel: number
  /** Index bits of the root: more than `bitsPerLevel` where several tables are concatenated. */
  readonly rootBits: number
  /** Bits of an address that the tables translate. */
  readonly inputBits: number
  /** Bits of an address that may be mapped: one less where the upper half belongs to somebody else. */
  readonly apertureBits: number
  /** 1: addresses are canonical, bits above `inputBits` repeat its highest bit. 0: they are zero. */
  readonly signExtended: number
  /** Physical address width; address bits from here on are reserved. */
  readonly addressBits: number

  /** An entry with none of these bits is absent. */
  readonly presentLow: number
  readonly presentHigh: number
  /** Where an entry holds an address. In a leaf without the bits below the page size. */
  readonly addressLow: number
  readonly addressHigh: number
  /** Software's note in a table entry that it has been written back, for walkers that do not snoop. */
  readonly writtenBackLow: number
  readonly writtenBackHigh: number
  /** Leaf bit that makes every access snoop the caches; 0 where the format has none. */
  readonly snoopLow: number
  readonly snoopHigh: number

  /**
   * Permissions: an access is granted where all bits of its mask are set in the AND of all entries of the walk,
   * each entry XORed with `invert` first (bits that forbid). A mask of 0 is always granted.
   */
  readonly invertLow: number
  readonly invertHigh: number
  readonly readLow: number
  readonly readHigh: number
  readonly writeLow: number
  readonly writeHigh: number
  readonly executeLow: number
  readonly executeHigh: number
  readonly userLow: number
  readonly userHigh: number

  /** Lowest address bit that indexes a table of the level: log2 of what one entry covers. */
  readonly shift: PerLevel
  /** Size of a leaf at the level as halves; both 0 where the level has no leaves. */
  readonly pageLow: PerLevel
  readonly pageHigh: PerLevel
  /** Ones over the address bits below what one entry covers. */
  readonly offsetLow: PerLevel
  readonly offsetHigh: PerLevel
  /** Any of these bits in the lower half of a present entry makes it a leaf. At level 1 everything is a leaf. */
  readonly leafBits: PerLevel
  /** Attributes of an entry that points to a table. */
  readonly tableLow: PerLevel
  readonly tableHigh: PerLevel
  /** What the level adds to a leaf's attributes. */
  readonly leafLow: PerLevel
  readonly leafHigh: PerLevel
  /** Bits that hardware checks to be zero. */
  readonly tableReservedLow: PerLevel
  readonly tableReservedHigh: PerLevel
  readonly leafReservedLow: PerLevel
  readonly leafReservedHigh: PerLevel

  /** Attributes of a leaf, by ACCESS_READ | ACCESS_WRITE | ACCESS_NO_EXECUTE. */
  readonly accessLow: Lane
  readonly accessHigh: Lane
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
  readonly present: Mask
  readonly table: Mask
  readonly writtenBack: Run
  /** Set in leaves above level 1 only. */
  readonly pageSize: Mask
  readonly snoop: Mask
  readonly invert: Mask
  readonly read: Mask
  readonly write: Mask
  readonly execute: Mask
  readonly user: Mask
  /** Attributes of a leaf, without page size and snoop. */
  readonly leaf: (access: { readonly read: boolean; readonly write: boolean; readonly noExecute: boolean }) => Mask
  /** Reserved in every table entry, and in every leaf, whatever its level. */
  readonly tableReserved: Mask
  readonly leafReserved: Mask
  /** Address bits of a large leaf that mean something else although they lie below the page size. */
  readonly largeMeaning: Mask
}

const bitsBelow = (bit: number): bigint => (1n << BigInt(bit)) - 1n

const halves = (words: readonly bigint[]): { readonly low: Lane; readonly high: Lane } => ({
  low: Int32Array.from(words, (word) => pairOf(word).low),
  high: Int32Array.from(words, (word) => pairOf(word).high),
})

const check = (parts: FormatParts): void => {
  const { depths, levels, leafShifts, addressBits, granuleShift = 12, bitsPerLevel = 9 } = parts
  const { name } = parts.layout
  if (!depths.includes(levels)) throw new RangeError(`${name}: ${levels} levels; it has ${depths.join(', ')}`)
  if (!leafShifts.includes(granuleShift)) {
    throw new RangeError(`${name}: leaves of 2^${leafShifts.join(', 2^')} bytes; 2^${granuleShift} must be among them`)
  }
  for (const shift of leafShifts) {
    const level = (shift - granuleShift) / bitsPerLevel + 1
    if (!Number.isInteger(level) || level < 1 || level > levels || shift > 30) {
      throw new RangeError(`${name}: no level has leaves of 2^${shift} bytes`)
    }
  }
  if (!Number.isInteger(addressBits) || addressBits < 32 || addressBits > 52) {
    throw new RangeError(`${name}: physical addresses of ${addressBits} bits; 32 to 52 are possible`)
  }
}

/** Derives a format's numbers. Throws RangeError for a depth, leaf size or address width that the format has not. */
export const deriveFormat = (parts: FormatParts): Format => {
  check(parts)
  const { layout, levels, granuleShift = 12, bitsPerLevel = 9, rootBits = bitsPerLevel, signExtended = false } = parts
  const inputBits = granuleShift + (levels - 1) * bitsPerLevel + rootBits
  const each = Array.from({ length: levels + 1 }, (_, level) => level)
  const shiftAt = (level: number): number => granuleShift + Math.max(level - 1, 0) * bitsPerLevel
  const hasLeaf = (level: number): boolean => level > 0 && parts.leafShifts.includes(shiftAt(level))
  const beyond = parts.address & ~bitsBelow(parts.addressBits)
  const inside = (level: number): Mask => parts.address & bitsBelow(shiftAt(level)) & ~parts.largeMeaning

  const present = pairOf(parts.present)
  const address = pairOf(parts.address)
  const writtenBack = pairOf(maskOf([parts.writtenBack]))
  const snoop = pairOf(parts.snoop)
  const [invert, read, write] = [pairOf(parts.invert), pairOf(parts.read), pairOf(parts.write)]
  const [execute, user] = [pairOf(parts.execute), pairOf(parts.user)]
  const page = halves(each.map((level) => (hasLeaf(level) ? 1n << BigInt(shiftAt(level)) : 0n)))
  const offset = halves(each.map((level) => bitsBelow(shiftAt(level))))
  const leafBits = halves(each.map((level) => (level > 1 && hasLeaf(level) ? parts.pageSize : 0n)))
  const table = halves(each.map(() => parts.table))
  const leaf = halves(each.map((level) => (level > 1 ? parts.pageSize : 0n)))
  const tableReserved = halves(each.map((level) =>
    beyond | parts.tableReserved | (hasLeaf(level) ? 0n : parts.pageSize)))
  const leafReserved = halves(each.map((level) => beyond | parts.leafReserved | (level > 1 ? inside(level) : 0n)))
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
    presentLow: present.low, presentHigh: present.high,
    addressLow: address.low, addressHigh: address.high,
    writtenBackLow: writtenBack.low, writtenBackHigh: writtenBack.high,
    snoopLow: snoop.low, snoopHigh: snoop.high,
    invertLow: invert.low, invertHigh: invert.high,
    readLow: read.low, readHigh: read.high,
    writeLow: write.low, writeHigh: write.high,
    executeLow: execute.low, executeHigh: execute.high,
    userLow: user.low, userHigh: user.high,
    shift: Int32Array.from(each, shiftAt),
    pageLow: page.low, pageHigh: page.high,
    offsetLow: offset.low, offsetHigh: offset.high,
    leafBits: leafBits.low,
    tableLow: table.low, tableHigh: table.high,
    leafLow: leaf.low, leafHigh: leaf.high,
    tableReservedLow: tableReserved.low, tableReservedHigh: tableReserved.high,
    leafReservedLow: leafReserved.low, leafReservedHigh: leafReserved.high,
    accessLow: access.low, accessHigh: access.high,
  })
}
