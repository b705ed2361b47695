// How VT-d's driver changes context entries and PASID entries, from its own pure planner.
import { decode, decodeField } from '@iommu/bits'
import { programming } from '@iommu/driver-intel-vtd/reproduce'
import { readCapabilities } from '@iommu/driver-intel-vtd/registers'
import { contextEntry, pasidEntry, scalableContextEntry } from '@iommu/driver-intel-vtd/tables'
import type { ChangePlan, ChangeStep } from '../vendor.js'

type Words = readonly bigint[]
type Flushes = Parameters<typeof programming.planEntry>[2]

/** A unit without caching mode, whose write buffer needs no flush. */
const PLAIN = readCapabilities(0n, 0n)

const plan = (from: Words, to: Words, flushes: Flushes): ChangeStep[] =>
  programming.planEntry(from, to, flushes).map((step) => {
    switch (step.do) {
      case 'store': return { do: 'store', index: step.index, words: [step.value] }
      case 'invalidate': return { do: 'invalidate', commands: step.descriptors }
      default: return step
    }
  })

const domainOf = (words: Words): number | undefined => {
  const { P, DID } = decode(contextEntry, words)
  return P === 1 ? DID : undefined
}
const SECOND_STAGE = 2
const pasidTag = (words: Words): { readonly domainId: number; readonly secondStage: boolean } | undefined => {
  const { P, DID, PGTT } = decode(pasidEntry, words)
  return P === 1 ? { domainId: DID, secondStage: PGTT === SECOND_STAGE } : undefined
}

export const changes: Readonly<Record<string, ChangePlan>> = {
  [contextEntry.name]: {
    plan: (from, to, { source }) => plan(from, to, programming.flushContext({
      source, oldDomainId: domainOf(from), newDomainId: domainOf(to), deviceTlbs: [],
    }, PLAIN)),
    isLive: (words) => decodeField(contextEntry, words, 'P') === 1,
  },
  [scalableContextEntry.name]: {
    plan: (from, to, { source }) => plan(from, to, programming.flushScalableContext(source, PLAIN)),
    isLive: (words) => decodeField(scalableContextEntry, words, 'P') === 1,
  },
  [pasidEntry.name]: {
    plan: (from, to, { pasid }) => plan(from, to, programming.flushPasid({
      pasid, old: pasidTag(from), next: pasidTag(to), deviceTlbs: [],
    }, PLAIN)),
    isLive: (words) => decodeField(pasidEntry, words, 'P') === 1,
  },
}
