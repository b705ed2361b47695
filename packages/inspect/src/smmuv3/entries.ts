// SMMUv3's layouts, by the names that people use for them.
import type { Entry } from '@iommu/bits'
import * as tables from '@iommu/driver-arm-smmuv3/tables'
import { armStage1Entry, armStage1Entry52, armStage2Entry, armStage2Entry52 } from '@iommu/page-table'

/** Several events share the layout of those that name a stream and nothing more. */
const eventLayouts = [...new Set([...tables.events.values()].map(({ layout }) => layout))]

/** In the order in which a DMA meets them, then commands and queues, then registers. */
export const entries: readonly Entry[] = [
  tables.levelOneStream, tables.streamEntry, tables.levelOneContext, tables.contextDescriptor,
  armStage1Entry, armStage2Entry, armStage1Entry52, armStage2Entry52,
  ...new Set(Object.values(tables.commands)),
  ...eventLayouts, tables.pageRequest,
  tables.idr0, tables.idr1, tables.idr3, tables.idr5, tables.control0, tables.control1, tables.control2, tables.globalBypass,
  tables.interruptControl, tables.globalError, tables.streamTableBase, tables.streamTableConfig, tables.queueBase,
  tables.commandQueueIndex, tables.outputQueueIndex,
]

export const aliases: Readonly<Record<string, string>> = {
  'smmuv3.l1-std': 'smmuv3.l1std',
  'smmuv3.stream-table-entry': 'smmuv3.ste',
  'smmuv3.l1-cd': 'smmuv3.l1cd',
  'smmuv3.context-descriptor': 'smmuv3.cd',
  'smmuv3.priq': 'smmuv3.pri',
  'smmuv3.cmd.prefetch-cfg': 'smmuv3.cmd.prefetch-config',
  'smmuv3.cmd.cfgi-all': 'smmuv3.cmd.cfgi-ste-range',
  'smmuv3.cmd.cmd-sync': 'smmuv3.cmd.sync',
}

const titles = new Map(entries.map(({ name, title }) => [name, title]))

/** "Stream table entry" for "smmuv3.ste". */
export const titleOf = (name: string): string => titles.get(name) ?? name
