// VT-d's layouts, by the names that people use for them.
import type { Entry } from '@iommu/bits'
import * as queues from '@iommu/driver-intel-vtd/queues'
import * as registers from '@iommu/driver-intel-vtd/registers'
import * as tables from '@iommu/driver-intel-vtd/tables'
import { firstStageEntry, secondStageEntry } from '@iommu/page-table'

/** In the order in which a DMA meets them, then queue descriptors, then registers. */
export const entries: readonly Entry[] = [
  tables.rootEntry, tables.scalableRootEntry, tables.contextEntry, tables.scalableContextEntry,
  tables.pasidDirectoryEntry, tables.pasidEntry, secondStageEntry, firstStageEntry,
  registers.faultRecord, queues.pageRequestDescriptor,
  ...Object.values(queues.descriptors),
  registers.capability, registers.extendedCapability, registers.globalCommand, registers.globalStatus, registers.rootTableAddress,
  registers.faultStatus, registers.queueAddress, registers.queueError,
]

export const aliases: Readonly<Record<string, string>> = {
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

const titles = new Map(entries.map(({ name, title }) => [name, title]))

/** "Context entry" for "vtd.context". */
export const titleOf = (name: string): string => titles.get(name) ?? name
