// Why recorded words may differ from the driver's: the named rules of `reproduce`, as data.
import { decode, decodeField } from '@iommu/bits'
import { deviceTableEntry } from '@iommu/driver-amd-vi/tables'
import type { ReproduceRule } from '../vendor.js'

/** What of a whole capture decides whether a rule holds. */
export interface RuleFacts {
  /** Whether the unit serves page requests (EFR.PPRSup). */
  readonly pageRequests: boolean
}

/** At most one holds for a difference. */
export const reproduceRules: readonly ReproduceRule<RuleFacts>[] = [
  {
    id: 'blocked-by-permissions', entry: 'amd.dte', field: 'TV',
    condition: (_facts, { recorded, ours, words }) => {
      const { V, Mode, GV, IR, IW } = decode(deviceTableEntry, words)
      return recorded === 1n && ours === 0n && V === 1 && Mode === 0 && GV === 0 && IR === 0 && IW === 0
    },
    says: 'an entry without tables that allows neither reads nor writes blocks as one without translation information '
      + 'does; older kernels detach so, and kernels of all ages preset entries of devices that they have not seen.',
    source: 'linux 6.12 writes ...3 to detach, linux 7.3.4 ...1',
  },
  {
    id: 'page-requests', entry: 'amd.dte', field: 'PPR',
    condition: ({ pageRequests }, { recorded, words }) =>
      pageRequests && recorded === 1n && decodeField(deviceTableEntry, words, 'TV') === 1,
    says: 'Linux lets page requests through where unit and device can make them; the driver serves none, and refuses them.',
    source: 'linux 7.3.4, pdev_enable_caps and set_dte_entry',
  },
]
