// VT-d's fault reasons, in our words.
import { faultReasons, faultRecord } from '@iommu/driver-intel-vtd/registers'
import { once } from '../once.js'
import { hexCode } from '../spell.js'
import type { CodeMembers } from '../vendor.js'
import { adviceFor } from './advice.js'

/** What is known of a fault reason; `meaning` is absent for one that is not known. */
export const explainCode = once((code: number): CodeMembers => {
  const reason = faultReasons.get(code)
  const advice = adviceFor(code)
  return {
    vendor: 'vtd',
    code,
    name: `VT-d fault reason ${hexCode(code)}`,
    section: faultRecord.section,
    ...(reason === undefined ? {} : { meaning: reason.meaning, confirmedBy: reason.confirmedBy }),
    ...(advice === undefined ? {} : advice),
  }
})
