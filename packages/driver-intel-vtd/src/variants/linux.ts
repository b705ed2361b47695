// What Linux's VT-d driver does, or did, otherwise than the contract says: each with where it is from.
import { decode } from '@iommu/bits'
import { IommuError } from '@iommu/core'
import type { PagingDomain } from '@iommu/core'
import { driverOver } from '../backends.js'
import { programming } from '../programming/index.js'
import { pasidEntry } from '../tables/index.js'
import { hostAddressBits, present, replacedInPlace, SCALABLE, variant, zeroedAtOnce } from './variant.js'
import type { VtdVariant } from './variant.js'

const PASID_WORDS = 8

const linux = (does: string, source: string, deviation: VtdVariant): VtdVariant =>
  ({ ...deviation, profile: { name: 'linux-7.3', does, source } })

/** Whether an entry asks for silence and is absent: what is left of a process that has ended. */
const isSilent = (words: readonly bigint[]): boolean =>
  words.length === PASID_WORDS && !present(words) && decode(pasidEntry, words).FPD === 1

const checksAfterBlock: VtdVariant = {
  id: 'linux-checks-after-block',
  title: 'a device is blocked before it is asked whether the new domain fits',
  breaks: ['C-ATTACH-10'],
  on: SCALABLE,
  createDriver(machines, { warn }) {
    const driver = driverOver(machines, warn, hostAddressBits(machines[0]))
    const allocate = driver.domainAllocPaging
    return allocate === undefined ? driver : {
      ...driver,
      domainAllocPaging(device, request): PagingDomain {
        const domain = allocate(device, request)
        return {
          ...domain,
          attachDev(each, old) {
            try {
              driver.blockedDomain?.attachDev(each, old)
            } catch (error) {
              // A stranger's device: the domain refuses it too, in its own words.
              if (!(error instanceof IommuError)) throw error
            }
            domain.attachDev(each, old)
          },
        }
      },
    }
  },
}

export const linuxVariants: readonly VtdVariant[] = [
  linux('blocks the device first, and asks afterwards whether the domain fits: a soft refusal leaves it blocked',
    'drivers/iommu/intel/iommu.c intel_iommu_attach_device, 7.3.4', checksAfterBlock),
  linux('a PASID entry that is torn down with faults ignored ends all zero, since P is cleared before FPD is chosen by it',
    'drivers/iommu/intel/pasid.c intel_pasid_tear_down_entry, 7.3.4',
    variant('linux-loses-fpd', 'a PASID entry whose faults are to be ignored is cleared whole', ['C-SVA-06'], SCALABLE, {
      planEntry: (from, to, whole) => programming.planEntry(from, isSilent(to) ? to.map(() => 0n) : to, whole),
    })),
  linux('clears all eight words of a present PASID entry before it invalidates anything',
    'drivers/iommu/intel/pasid.c intel_pasid_clear_entry, until early 2026',
    variant('linux-zeroed-at-once', 'a present entry is zeroed whole before it is invalidated', [
      'C-PASID-03', 'C-ATTACH-06', 'C-SVA-05', 'C-TLB-02', 'C-FREE-03',
    ], SCALABLE, zeroedAtOnce)),
  linux('replaces a present PASID entry in place',
    'drivers/iommu/intel/pasid.c intel_pasid_replace_first_level and its like, until early 2026',
    variant('linux-replaced-in-place', 'a present entry is overwritten in place, and invalidated afterwards', [
      'C-PASID-03', 'C-ATTACH-05', 'C-ATTACH-06', 'C-PASID-17', 'C-TLB-02', 'C-FREE-01',
    ], SCALABLE, replacedInPlace)),
]
