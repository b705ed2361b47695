// MSI page tables, which the model does not walk and refuses to guess about.
import { decodeField } from '@iommu/bits'
import { deviceContext } from '@iommu/driver-riscv/tables'
import type { Step } from '@iommu/hardware'
import type { Capture } from '../capture.js'
import { InputError } from '../input-error.js'
import { hex } from '../spell.js'

/** Runs what reads contexts. Throws InputError where one of them has an MSI page table. */
export const withoutGuestInterrupts = <T>({ names }: Capture, steps: readonly Step[], read: () => T): T => {
  try {
    return read()
  } catch (error) {
    const context = steps.find(({ entry }) => entry === deviceContext.name)
    if (!(error instanceof RangeError) || context === undefined || decodeField(deviceContext, context.words, 'MSIPTP_MODE') !== 1) throw error
    throw new InputError({
      file: names.bytes, place: `device context at ${hex(context.address as bigint)}`,
      expected: 'no MSI page table (msiptp.MODE is 0)', found: 'one, which this version does not walk',
    })
  }
}
