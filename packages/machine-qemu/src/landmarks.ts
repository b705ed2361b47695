// Landmarks: words in RAM that hold their own address, so that what a DMA read says where it went.
import { FRAME_BYTES, frameAddress, frameOf } from '@iommu/hardware'
import type { Board } from './boards/board.js'
import type { RamFile } from './ram.js'

/**
 * What a device can carry of a word: 48 bits, of which the lowest 16 may have moved (see dma-device.ts). A landmark
 * is the index of its word, counted from 1; what devices write counts from the middle of the range.
 */
const CARRIED_SHIFT = 16n
const FIRST_SERIAL = 0x8000_0000n

/** A word that holds its own address. */
export const landmarkAt = (address: bigint): bigint => ((address >> 3n) + 1n) << CARRIED_SHIFT
/** The n-th value that a device writes. */
export const serialValue = (serial: bigint): bigint => (FIRST_SERIAL + (serial % FIRST_SERIAL)) << CARRIED_SHIFT
/** What is left of a word after a device has carried it. */
export const carried = (word: bigint): bigint => (word >> CARRIED_SHIFT) & 0xffff_ffffn

/** Where the landmark lies that a carried value is; undefined for a value that is none. */
export const addressOf = (value: bigint): bigint | undefined =>
  value === 0n || value >= FIRST_SERIAL ? undefined : (value - 1n) << 3n

/** Landmarks of one RAM: a region that is full of them, and others where a DMA may land. */
export interface Landmarks {
  /** Everywhere that a DMA to the address may go, by frames that tables name, has a landmark now. Returns these places. */
  prepare(address: bigint, named: ReadonlySet<number>): readonly bigint[]
  /** Puts back what a DMA wrote over. */
  restore(address: bigint): void
}

/** The board's data is filled at once; frames of tables never have landmarks. */
export const createLandmarks = (ram: RamFile, { data: { start, end }, tables, pageShifts }: Board): Landmarks => {
  const shifts = pageShifts.map(BigInt)
  const isTable = (frame: number): boolean => frame >= frameOf(tables.start) && frame < frameOf(tables.end)
  const filled = new BigUint64Array(Number(end - start) / 8)
  for (let index = 0; index < filled.length; index++) filled[index] = landmarkAt(start + BigInt(index * 8))
  ram.markAll(start, new Uint8Array(filled.buffer))
  const marked = new Set<bigint>()
  const place = (address: bigint): bigint | undefined => {
    const frame = Number(address / BigInt(FRAME_BYTES))
    if (isTable(frame) || !ram.has(frame)) return undefined
    const inside = address >= start && address < end
    if (!inside && !marked.has(address)) {
      marked.add(address)
      ram.mark(address, landmarkAt(address))
    }
    return address
  }
  return {
    prepare(address, named) {
      const places = new Set<bigint>()
      const add = (candidate: bigint): void => {
        const found = place(candidate)
        if (found !== undefined) places.add(found)
      }
      add(address)
      for (const frame of named) {
        for (const shift of shifts) {
          const offset = address & ((1n << shift) - 1n)
          add((frameAddress(frame) & ~((1n << shift) - 1n)) + offset)
        }
      }
      return [...places]
    },
    restore: (address) => ram.mark(address, landmarkAt(address)),
  }
}
