// How SMMUv3's driver changes stream table entries and context descriptors, from its own pure planner.
import { decodeField } from '@iommu/bits'
import { programming } from '@iommu/driver-arm-smmuv3/reproduce'
import { contextDescriptor, streamEntry } from '@iommu/driver-arm-smmuv3/tables'
import type { ChangePlan, ChangeStep } from '../vendor.js'

const steps = (planned: ReturnType<typeof programming.planStream>): ChangeStep[] =>
  planned.map((step) => (step.do === 'store' ? { do: 'store', index: step.index, words: [step.value] } : step))

export const changes: Readonly<Record<string, ChangePlan>> = {
  [streamEntry.name]: {
    plan: (from, to, { source }) => steps(programming.planStream(from, to, programming.syncStream(source))),
    isLive: (words) => decodeField(streamEntry, words, 'V') === 1,
  },
  [contextDescriptor.name]: {
    plan: (from, to, { source, pasid }) => steps(programming.planContext(from, to, programming.syncContext([source], pasid))),
    isLive: (words) => decodeField(contextDescriptor, words, 'V') === 1,
  },
}
