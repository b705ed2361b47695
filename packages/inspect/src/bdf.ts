// Bus, device and function: the name of a PCI device, and the requester id in its DMA.

/** "0000:00:04.0", "00:04.0" */
const BDF = /^(?:([0-9a-f]{4,8}):)?([0-9a-f]{1,2}):([0-9a-f]{1,2})\.([0-7])$/i

/** A name taken apart. */
export interface Bdf {
  /** Undefined where the name does not say it. */
  readonly segment: number | undefined
  readonly requesterId: number
}

/** Undefined for a text that is not a device name. */
export const readBdf = (text: string): Bdf | undefined => {
  const match = BDF.exec(text.trim())
  if (match === null) return undefined
  const [segment, bus, device, fn] = match.slice(1).map((part) => (part === undefined ? undefined : parseInt(part, 16)))
  if ((device as number) > 31) return undefined
  return { segment, requesterId: ((bus as number) << 8) | ((device as number) << 3) | (fn as number) }
}

const two = (value: number): string => value.toString(16).padStart(2, '0')

/** "00:04.0" for 0x20. */
export const nameOfRequester = (requesterId: number): string =>
  `${two(requesterId >> 8)}:${two((requesterId >> 3) & 31)}.${requesterId & 7}`

/** Whether two names can be the same device; a name without segment fits any. */
export const sameDevice = (one: Bdf, other: Bdf): boolean =>
  one.requesterId === other.requesterId
  && (one.segment === undefined || other.segment === undefined || one.segment === other.segment)
