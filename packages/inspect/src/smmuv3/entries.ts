// SMMUv3's layouts, by the names that people use for them.
import type { Entry } from '@iommu/bits'
import * as queues from '@iommu/driver-arm-smmuv3/queues'
import * as registers from '@iommu/driver-arm-smmuv3/registers'
import * as tables from '@iommu/driver-arm-smmuv3/tables'
import { armStage1Entry, armStage1Entry52, armStage2Entry, armStage2Entry52 } from '@iommu/page-table'

/** Several events share the layout of those that name a stream and nothing more. */
const eventLayouts = [...new Set([...queues.events.values()].map(({ layout }) => layout))]

/** In the order in which a DMA meets them, then commands and queues, then registers. */
export const entries: readonly Entry[] = [
  tables.levelOneStream, tables.streamEntry, tables.levelOneContext, tables.contextDescriptor,
  armStage1Entry, armStage2Entry, armStage1Entry52, armStage2Entry52,
  ...new Set(Object.values(queues.commands)),
  ...eventLayouts, queues.pageRequest,
  registers.idr0, registers.idr1, registers.idr3, registers.idr5, registers.control0, registers.control1, registers.control2, registers.globalBypass,
  registers.interruptControl, registers.globalError, registers.streamTableBase, registers.streamTableConfig, registers.queueBase,
  registers.commandQueueIndex, registers.outputQueueIndex,
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
