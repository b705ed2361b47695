// Frames of device addresses, as models check them, and pages, with which they answer.
import { join, low, split } from './address.js'
import type { Translated } from './dma.js'

/** What every vendor's leaf says of a page; `frame` is the page's first. */
export interface Page {
  readonly frame: number
  readonly pageShift: number
  readonly read: boolean
  readonly write: boolean
}

export type Permissions = Translated['permissions']

/** Outcomes share what they say of permissions and sizes: a DMA makes one object and one address. */
const NOTHING: Permissions = Object.freeze({ read: false, write: false })
const READ: Permissions = Object.freeze({ read: true, write: false })
const WRITE: Permissions = Object.freeze({ read: false, write: true })
const BOTH: Permissions = Object.freeze({ read: true, write: true })
const SIZES: readonly bigint[] = Array.from({ length: 64 }, (_, shift) => 1n << BigInt(shift))

/** (`=== true` on what is a boolean anyway: V8 does not know that it is, and else asks for all that may count as false.) */
export const permissionsOf = (read: boolean, write: boolean): Permissions =>
  (read === true ? (write === true ? BOTH : READ) : write === true ? WRITE : NOTHING)

/** Bytes of a page, by log2. */
export const sizeOfPage = (pageShift: number): bigint => SIZES[pageShift] as bigint

/** Frames of addresses that have no bit set from this one on. */
const FRAMES: readonly number[] = Array.from({ length: 65 }, (_, bits) => 2 ** (bits - 12))
const ALL_FRAMES = 2 ** 52

/** Whether the addresses of a frame have no bit set from `bits` on. */
export const fitsIn = (frame: number, bits: number): boolean => frame < (FRAMES[bits] as number)

/** Whether the bits of a frame's addresses above the lowest `bits` repeat the highest one of these. */
export const isCanonical = (frame: number, bits: number): boolean =>
  frame < (FRAMES[bits - 1] as number) || frame >= ALL_FRAMES - (FRAMES[bits - 1] as number)

/** 0xfee00000 to 0xfeefffff: on x86, writes without PASID to these are interrupt requests, never memory. */
export const isInterruptRange = (frame: number): boolean => frame >= 0xfee00 && frame <= 0xfeeff

/** The frame that one of the device's is in the page that begins at `first`. (Numbers: leaves are of a shape per vendor.) */
export const frameIn = (first: number, pageShift: number, frame: number): number =>
  (pageShift === 12 ? first : first + (frame % (FRAMES[pageShift] as number)))

/** The device's frames around one that a page, or whatever covers so many address bits, is for. */
export const framesAround = (frame: number, bits: number): { readonly first: number; readonly last: number } => {
  const span = FRAMES[bits] as number
  const first = Math.floor(frame / span) * span
  return { first, last: first + span - 1 }
}

/** The address in a frame that has the offset of another one. */
export const addressIn = (frame: number, address: bigint): bigint => {
  split(address)
  return join((frame << 12) | (low & 0xfff), frame / 0x10_0000)
}

/** A request for a device's address that ends in a frame, which a page of so many address bits holds. */
export const translatedTo = (
  frame: number, pageShift: number, address: bigint, permissions: Permissions, tag: string, attributes: Translated['attributes'],
): Translated => ({ result: 'translated', address: addressIn(frame, address), tag, attributes, permissions, pageSize: sizeOfPage(pageShift) })

/** A request that goes where it says, since nothing translates it. */
export const passes = (address: bigint, tag: string, attributes: Translated['attributes']): Translated =>
  ({ result: 'translated', address, tag, attributes, permissions: BOTH, pageSize: 4096n })
