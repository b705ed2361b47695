// The register side of programming: the queue, and the device table.
import { decode, encode } from '@iommu/bits'
import { IommuError } from '@iommu/core'
import type { Machine } from '@iommu/hardware'
import { control, deviceTable, OFFSETS, queueBase } from '../tables/index.js'

/** Points the unit to its queue, which is empty then. */
export const setQueue = ({ registers }: Machine, base: bigint): void => {
  registers.write64(OFFSETS.queueBase, encode(queueBase, { BASE: base })[0] as bigint)
  registers.write64(OFFSETS.queueTail, 0n)
}

/** From now on requests go through the table. Throws ENODEV where the unit does not say so. */
export const enable = ({ registers }: Machine, table: bigint): void => {
  registers.write64(OFFSETS.deviceTable, encode(deviceTable, { BASE: table })[0] as bigint)
  registers.write64(OFFSETS.control, encode(control, { ENABLE: 1 })[0] as bigint)
  const { done } = registers.poll(() => decode(control, [registers.read64(OFFSETS.control)]).ENABLE, (each) => each === 1)
  if (!done) throw new IommuError('ENODEV', 'the unit does not acknowledge: control.ENABLE stays 0')
}
