// How AMD-Vi's driver changes device table entries and GCR3 entries, from its own pure planner.
import { decode, decodeField } from '@iommu/bits'
import { programming } from '@iommu/driver-amd-vi/reproduce'
import { deviceTableEntry, gcr3Entry } from '@iommu/driver-amd-vi/tables'
import type { ChangePlan, ChangeStep } from '../vendor.js'

type Words = readonly bigint[]

/** Which domain a GCR3 entry is of stands in its device's entry, not in itself. */
const SOME_DOMAIN = 1

const steps = (planned: ReturnType<typeof programming.planEntry>): ChangeStep[] =>
  planned.map((step) => (step.do === 'store' ? { do: 'store', index: step.index, words: step.values } : step))

const tagOf = (words: Words): { readonly domainId: number } | undefined => {
  const { V, TV, GIoV, GV, DomainID } = decode(deviceTableEntry, words)
  return V === 1 && TV === 1 && !(GV === 1 && GIoV === 1) ? { domainId: DomainID } : undefined
}

export const changes: Readonly<Record<string, ChangePlan>> = {
  [deviceTableEntry.name]: {
    plan: (from, to, { source }) =>
      steps(programming.planEntry(from, to, programming.flushEntry({ source, old: tagOf(from), deviceTlbs: [], pasids: [] }))),
    isLive(words) {
      const { V, TV } = decode(deviceTableEntry, words)
      return V === 1 && TV === 1
    },
    passes: (words) => decodeField(deviceTableEntry, words, 'V') === 0,
  },
  [gcr3Entry.name]: {
    plan: (from, to, { pasid }) =>
      steps(programming.planSlot(from, to, programming.flushSlot({ tag: { domainId: SOME_DOMAIN, pasid }, deviceTlbs: [] }))),
    isLive: (words) => decodeField(gcr3Entry, words, 'V') === 1,
  },
}
