// AMD-Vi's layouts, by the names that people use for them.
import type { Entry } from '@iommu/bits'
import * as queues from '@iommu/driver-amd-vi/queues'
import * as registers from '@iommu/driver-amd-vi/registers'
import * as tables from '@iommu/driver-amd-vi/tables'
import { amdV1Entry, amdV2Entry } from '@iommu/page-table'

/** In the order in which a DMA meets them, then commands and logs, then registers. */
export const entries: readonly Entry[] = [
  tables.deviceTableEntry, amdV1Entry, tables.gcr3Entry, amdV2Entry,
  ...Object.values(queues.commands),
  ...[...queues.events.values()].map(({ layout }) => layout), queues.pageRequestEntry,
  registers.extendedFeatures, registers.extendedFeatures2, registers.capabilityHeader, registers.control, registers.status,
  registers.deviceTableBase, registers.commandBufferBase, registers.eventLogBase, registers.pprLogBase, registers.ringPointer,
]

export const aliases: Readonly<Record<string, string>> = {
  'amd.device-table-entry': 'amd.dte',
  'amd.v1-pte': 'amd.v1',
  'amd.v2-pte': 'amd.v2',
  'amd.gcr3-entry': 'amd.gcr3',
  'amd.ppr-log': 'amd.ppr',
  'amd.cmd.inv-dev-entry': 'amd.cmd.invalidate-devtab-entry',
  'amd.cmd.invalidate-devtab': 'amd.cmd.invalidate-devtab-entry',
  'amd.cmd.inv-iommu-pages': 'amd.cmd.invalidate-iommu-pages',
  'amd.cmd.inv-iotlb-pages': 'amd.cmd.invalidate-iotlb-pages',
  'amd.cmd.inv-irt': 'amd.cmd.invalidate-interrupt-table',
  'amd.cmd.complete-ppr': 'amd.cmd.complete-ppr-request',
  'amd.cmd.inv-all': 'amd.cmd.invalidate-iommu-all',
  'amd.cmd.invalidate-all': 'amd.cmd.invalidate-iommu-all',
  'amd.event.illegal-devtab-entry': 'amd.event.illegal-dev-table-entry',
  'amd.event.dev-tab-hw-error': 'amd.event.dev-tab-hardware-error',
  'amd.event.page-tab-hw-error': 'amd.event.page-tab-hardware-error',
  'amd.event.illegal-command': 'amd.event.illegal-command-error',
  'amd.event.command-hw-error': 'amd.event.command-hardware-error',
  'amd.event.iotlb-invalidation-timeout': 'amd.event.iotlb-inv-timeout',
  'amd.event.rmp-fault': 'amd.event.rmp-page-fault',
}

const titles = new Map(entries.map(({ name, title }) => [name, title]))

/** "Device table entry" for "amd.dte". */
export const titleOf = (name: string): string => titles.get(name) ?? name
