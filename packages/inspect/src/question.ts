// Questions: the words in which people name a device, a PASID and an address, read and checked.
import { nameOfRequester, readBdf, sameDevice } from './bdf.js'
import type { Bdf } from './bdf.js'
import type { Capture, CapturedDevice } from './capture.js'
import { InputError, quoted } from './input-error.js'

/** Throws InputError about an argument, by the option that it stands behind. */
export const badArgument = (place: string, expected: string, found: string): InputError =>
  new InputError({ file: 'the arguments', place, expected, found: quoted(found) })

/** "00:04.0", "0000:00:04.0", or a requester id as "0x20". Throws InputError. */
export const readRid = (text: string): Bdf => {
  if (/^0x[0-9a-f]{1,4}$/i.test(text)) return { segment: undefined, requesterId: Number(text) }
  const bdf = readBdf(text)
  if (bdf === undefined) throw badArgument('--rid', 'a device such as 00:04.0, or a requester id such as 0x20', text)
  return bdf
}

/**
 * The device of a capture that is meant. Where the source has no list of its own, any device may be asked about.
 * Throws InputError where there is none, or more than one.
 */
export const findDevice = ({ devices, devicesFrom }: Capture, text: string): CapturedDevice => {
  const wanted = readRid(text)
  const byName = devices.filter(({ bdf }) => sameDevice(readBdf(bdf) as Bdf, wanted))
  const matching = byName.length > 0 || wanted.segment !== undefined
    ? byName : devices.filter(({ requesterId }) => requesterId === wanted.requesterId)
  if (matching.length === 1) return matching[0] as CapturedDevice
  if (matching.length === 0 && devicesFrom === 'tables') {
    return { bdf: readBdf(text) === undefined ? nameOfRequester(wanted.requesterId) : text, requesterId: wanted.requesterId }
  }
  const names = (matching.length > 1 ? matching : devices).map(({ bdf }) => bdf).join(' ')
  throw badArgument('--rid', matching.length > 1 ? `one device: ${names}` : `a device of the capture: ${names}`, text)
}

/** Decimal, or hexadecimal with 0x. Throws InputError. */
export const readPasid = (text: string): number => {
  const value = /^(0x[0-9a-f]+|\d+)$/i.test(text) ? Number(text) : NaN
  if (!(value < 0x100000)) throw badArgument('--pasid', 'a number below 0x100000', text)
  return value
}

/** Hexadecimal with or without 0x; underscores between digits are allowed. Throws InputError. */
export const readIova = (text: string): bigint => {
  const digits = text.trim().replace(/^0x/i, '').replaceAll('_', '')
  if (!/^[0-9a-f]{1,16}$/i.test(digits)) throw badArgument('--iova', 'an address of up to 64 bits in hexadecimal', text.trim())
  return BigInt(`0x${digits}`)
}
