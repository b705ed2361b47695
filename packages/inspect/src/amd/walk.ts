// Walk: one DMA through AMD-Vi's model over the recorded tables.
import { decode } from '@iommu/bits'
import { translate } from '@iommu/driver-amd-vi/model'
import { deviceTableEntry } from '@iommu/driver-amd-vi/tables'
import { walking } from '@iommu/hardware'
import type { DmaRequest, Step } from '@iommu/hardware'
import type { Capture } from '../capture.js'
import { InputError } from '../input-error.js'
import { hex } from '../spell.js'
import type { Walked, WalkQuestion, Way } from '../vendor.js'
import type { AmdUnit } from './unit.js'

/** Host tables below guest tables: the model does not walk them, and does not say so. */
const refuseNested = ({ names }: Capture, steps: readonly Step[]): void => {
  const [entry] = steps
  if (entry?.entry !== deviceTableEntry.name) return
  const { V, TV, GV, Mode } = decode(deviceTableEntry, entry.words)
  if (V === 0 || TV === 0 || GV === 0 || Mode === 0 || steps.length > 1) return
  throw new InputError({
    file: names.bytes,
    place: `device table entry at ${hex(entry.address as bigint)}`,
    expected: 'host tables or guest tables',
    found: 'both, nested translation, which this version does not walk',
  })
}

/** What becomes of one DMA. Throws InputError for nested translation. */
export const walk = (unit: AmdUnit, capture: Capture, { source, pasid, iova, access }: WalkQuestion, { steps }: Way): Walked => {
  const request: DmaRequest = {
    source, kind: 'untranslated', address: iova, access, ...(pasid === undefined ? {} : { pasid }),
  }
  const outcome = translate(unit.hardware(), request, walking(steps))
  if (outcome.result === 'blocked') refuseNested(capture, steps)
  return { outcome }
}
