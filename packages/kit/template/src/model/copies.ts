// Copies: what hardware makes of a device entry when it fetches one.
import { breaksReserved, decode, wordCount } from '@iommu/bits'
import { loadWords } from '@iommu/hardware'
import type { HardwareView, Step } from '@iommu/hardware'
import { DEVICE_BYTES, deviceEntry, REQUEST_TYPES } from '../tables/index.js'

/** What a valid device entry says. */
export interface DeviceCopy {
  readonly type: (typeof REQUEST_TYPES)[keyof typeof REQUEST_TYPES]
}

/** A DMA that stops, with the fault code. */
export class Stopped {
  readonly code: number
  constructor(code: number) {
    this.code = code
  }
}

const types: Readonly<Record<number, DeviceCopy['type'] | undefined>> = REQUEST_TYPES

/** Fetches a device entry. Throws Stopped with the fault code. */
export const fetchDevice = (view: HardwareView, table: bigint, source: number, steps: Step[] | undefined): DeviceCopy => {
  const address = table + BigInt(source * DEVICE_BYTES)
  const words = loadWords(view, address, wordCount(deviceEntry))
  const { V, TYPE } = decode(deviceEntry, words)
  const type = types[TYPE]
  steps?.push({ entry: deviceEntry.name, address, words, note: V === 0 ? 'not valid' : type ?? `type ${TYPE}` })
  if (V === 0) throw new Stopped(1)
  if (breaksReserved(deviceEntry, words) || type === undefined) throw new Stopped(2)
  return { type }
}
