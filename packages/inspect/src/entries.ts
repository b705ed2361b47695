// Every layout that this program knows, by the names that people use for it.
import type { Entry } from '@iommu/bits'
import * as tables from '@iommu/driver-intel-vtd/tables'
import { firstStageEntry, secondStageEntry } from '@iommu/page-table'
import { InputError, quoted } from './input-error.js'
import { nearest } from './nearest.js'

/** In the order in which a DMA meets them, then queue descriptors, then registers. */
export const entries: readonly Entry[] = [
  tables.rootEntry, tables.scalableRootEntry, tables.contextEntry, tables.scalableContextEntry,
  tables.pasidDirectoryEntry, tables.pasidEntry, secondStageEntry, firstStageEntry,
  tables.faultRecord, tables.pageRequestDescriptor,
  ...Object.values(tables.descriptors),
  tables.capability, tables.extendedCapability, tables.globalCommand, tables.globalStatus, tables.rootTableAddress,
  tables.faultStatus, tables.queueAddress, tables.queueError,
]

const ALIASES: Readonly<Record<string, string>> = {
  'vtd.root-entry': 'vtd.root',
  'vtd.scalable-root': 'vtd.sm-root',
  'vtd.context-entry': 'vtd.context',
  'vtd.scalable-context': 'vtd.sm-context',
  'vtd.pasid-directory': 'vtd.pasid-dir',
  'vtd.pasid-entry': 'vtd.pasid',
  'vtd.ss-pte': 'vtd.ss',
  'vtd.second-stage': 'vtd.ss',
  'vtd.fs-pte': 'vtd.fs',
  'vtd.first-stage': 'vtd.fs',
  'vtd.fault-record': 'vtd.frcd',
  'vtd.prq': 'vtd.page-request',
  'vtd.prd': 'vtd.page-request',
  'vtd.qi.cc': 'vtd.qi.context-cache',
  'vtd.qi.context': 'vtd.qi.context-cache',
  'vtd.qi.dev-tlb': 'vtd.qi.device-tlb',
  'vtd.qi.device-iotlb': 'vtd.qi.device-tlb',
  'vtd.qi.interrupt-entry-cache': 'vtd.qi.iec',
  'vtd.qi.invalidation-wait': 'vtd.qi.wait',
  'vtd.qi.piotlb': 'vtd.qi.pasid-iotlb',
  'vtd.qi.pc': 'vtd.qi.pasid-cache',
  'vtd.qi.pasid-dev-tlb': 'vtd.qi.pasid-device-tlb',
  'vtd.qi.pdev-tlb': 'vtd.qi.pasid-device-tlb',
  'vtd.qi.page-response': 'vtd.qi.page-group-response',
  'vtd.qi.pgresp': 'vtd.qi.page-group-response',
}

const byName = new Map<string, Entry>(entries.map((each) => [each.name, each]))

/** Capitals, underscores and a missing "vtd." do not matter. */
export const lookUpEntry = (name: string): Entry | undefined => {
  const plain = name.trim().toLowerCase().replaceAll('_', '-')
  for (const tried of [plain, `vtd.${plain}`]) {
    const found = byName.get(ALIASES[tried] ?? tried)
    if (found !== undefined) return found
  }
  return undefined
}

/** Throws InputError for a name that is not known, with the nearest that is. */
export const findEntry = (name: string): Entry => {
  const found = lookUpEntry(name)
  if (found !== undefined) return found
  const near = nearest(name, [...byName.keys(), ...Object.keys(ALIASES)])
  throw new InputError({
    file: 'the arguments',
    place: 'the name of the entry',
    expected:
      near === undefined
        ? 'one such as vtd.pasid ("iommu help decode" lists them)'
        : `a known one (did you mean ${ALIASES[near] ?? near}?)`,
    found: quoted(name),
  })
}
