// Walk: one DMA through the RISC-V IOMMU's model over the recorded tables.
import { translate } from '@iommu/driver-riscv/model'
import { walking } from '@iommu/hardware'
import type { DmaRequest } from '@iommu/hardware'
import type { Capture } from '../capture.js'
import type { Walked, WalkQuestion, Way } from '../vendor.js'
import { withoutGuestInterrupts } from './guest-interrupts.js'
import type { RiscvUnit } from './unit.js'

/** What becomes of one DMA. Throws InputError for MSI page tables. */
export const walk = (unit: RiscvUnit, capture: Capture, { source, pasid, iova, access }: WalkQuestion, { steps }: Way): Walked => {
  const request: DmaRequest = {
    source, kind: 'untranslated', address: iova, access, ...(pasid === undefined ? {} : { pasid }),
  }
  const outcome = withoutGuestInterrupts(capture, steps, () => translate(unit.hardware(), request, walking(steps)))
  return { outcome }
}
