// Why recorded words may differ from the driver's: the named rules of `reproduce`, as data.
import { decodeField } from '@iommu/bits'
import { pasidEntry } from '@iommu/driver-intel-vtd/tables'
import type { Capabilities } from '@iommu/driver-intel-vtd/registers'
import type { Difference, ReproduceRule } from '../vendor.js'

/** What of a whole capture decides whether a rule holds. */
export interface RuleFacts {
  readonly capabilities: Capabilities
  /** Whether walks of page tables snoop in the capture's mode. */
  readonly pagesSnooped: boolean
  /** Whether any table entry of the capture has software's note that it has been written back. */
  readonly tablesNoted: boolean
}

/** Kernels that keep no note keep none anywhere: one entry without it among others that have it is no such kernel. */
const noNotes: ReproduceRule<RuleFacts>['condition'] = ({ pagesSnooped, tablesNoted }, { recorded, ours }) =>
  !pagesSnooped && !tablesNoted && recorded === 0n && ours === 1n

const SECOND_STAGE = 2
const typeOf = ({ words }: Difference): number => decodeField(pasidEntry, words, 'PGTT')

/** At most one holds for a difference. */
export const reproduceRules: readonly ReproduceRule<RuleFacts>[] = [
  {
    id: 'second-stage-table-note', entry: 'vtd.ss', field: 'ignored 10:10',
    condition: noNotes,
    says: 'where walks do not snoop, table entries carry a note of software\'s that they were written back; kernels '
      + 'before the generic page tables keep none. Hardware ignores the bit.',
    source: 'linux 6.12 writes ...003, linux 7.3.4 ...403',
  },
  {
    id: 'first-stage-table-note', entry: 'vtd.fs', field: 'ignored 9:9',
    condition: noNotes,
    says: 'as second-stage-table-note, in another bit',
    source: 'linux 6.12 writes ...027, linux 7.3.4 ...227',
  },
  {
    id: 'domain-does-not-snoop', entry: 'vtd.pasid', field: 'PWSNP',
    condition: ({ capabilities: { scalableWalkCoherent } }, difference) =>
      typeOf(difference) === SECOND_STAGE && scalableWalkCoherent && difference.recorded === 0n,
    says: 'a domain that also serves a unit without snooping walks is written back, and Linux then asks no unit to '
      + 'snoop; the driver asks every unit that can. Both walk what is in memory.',
    source: 'linux 7.3.4, entries recorded from its PASID set-up',
  },
  {
    id: 'page-requests', entry: 'vtd.sm-context', field: 'PRE',
    condition: ({ capabilities: { pageRequests } }, { recorded }) => pageRequests && recorded === 1n,
    says: 'Linux lets page requests through wherever unit and device can make them; the driver serves none, and '
      + 'refuses them.',
    source: 'linux 7.3.4, from capability and not from what is enabled',
  },
]
