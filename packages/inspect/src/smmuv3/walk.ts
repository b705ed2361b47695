// Walk: one DMA through SMMUv3's model over the recorded tables.
import { decodeField } from '@iommu/bits'
import { translate } from '@iommu/driver-arm-smmuv3/model'
import { STREAM_CONFIGS, streamEntry } from '@iommu/driver-arm-smmuv3/tables'
import { walking } from '@iommu/hardware'
import type { DmaRequest, Step } from '@iommu/hardware'
import type { Capture } from '../capture.js'
import { InputError } from '../input-error.js'
import { hex } from '../spell.js'
import type { Walked, WalkQuestion, Way } from '../vendor.js'
import type { SmmuUnit } from './unit.js'

const NESTED = 7

/** Both stages of translation: the model does not walk them, and does not say so. What it has read behind the entry is no step. */
const refuseNested = ({ names }: Capture, steps: Step[]): void => {
  const at = steps.findIndex((step) => step.entry === streamEntry.name)
  const entry = steps[at]
  if (entry === undefined) return
  if (decodeField(streamEntry, entry.words, 'V') === 0 || decodeField(streamEntry, entry.words, 'Config') !== NESTED) return
  steps.length = at + 1
  throw new InputError({
    file: names.bytes,
    place: `stream table entry at ${hex(entry.address as bigint)}`,
    expected: `${STREAM_CONFIGS[5]}, ${STREAM_CONFIGS[6]}, bypass or abort`,
    found: 'both stages, nested translation, which this version does not walk',
  })
}

/** What becomes of one DMA. Throws InputError for nested translation. */
export const walk = (unit: SmmuUnit, capture: Capture, { source, pasid, iova, access }: WalkQuestion, { steps }: Way): Walked => {
  const request: DmaRequest = {
    source, kind: 'untranslated', address: iova, access, ...(pasid === undefined ? {} : { pasid }),
  }
  try {
    return { outcome: translate(unit.hardware(), request, walking(steps)) }
  } finally {
    // Memory that the model misses there is none of the walk's: it took an intermediate address for a physical one.
    refuseNested(capture, steps)
  }
}
