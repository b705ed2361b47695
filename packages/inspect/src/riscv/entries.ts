// The RISC-V IOMMU's layouts, by the names that people use for them.
import type { Entry } from '@iommu/bits'
import * as queues from '@iommu/driver-riscv/queues'
import * as registers from '@iommu/driver-riscv/registers'
import * as tables from '@iommu/driver-riscv/tables'
import { riscvEntry } from '@iommu/page-table'

/** In the order in which a DMA meets them, then commands and records, then registers. */
export const entries: readonly Entry[] = [
  tables.deviceDirectoryEntry, tables.deviceContext, tables.baseDeviceContext, tables.processDirectoryEntry, tables.processContext,
  riscvEntry,
  queues.invalidateFirstStage, queues.invalidateSecondStage, queues.fence, queues.invalidateDevice, queues.invalidateProcess,
  queues.atsInvalidate, queues.pageResponse,
  queues.faultRecord, queues.guestFaultAddress,
  registers.capability, registers.featureControl, registers.directoryPointer, registers.queueBase,
  registers.commandQueueStatus, registers.faultQueueStatus, registers.translationRequest, registers.translationResponse,
]

export const aliases: Readonly<Record<string, string>> = {
  'riscv.ddte': 'riscv.ddt',
  'riscv.device-directory': 'riscv.ddt',
  'riscv.device-context': 'riscv.dc',
  'riscv.dc-extended': 'riscv.dc',
  'riscv.pdte': 'riscv.pdt',
  'riscv.process-directory': 'riscv.pdt',
  'riscv.process-context': 'riscv.pc',
  'riscv.sv39': 'riscv.pte',
  'riscv.sv48': 'riscv.pte',
  'riscv.sv57': 'riscv.pte',
  'riscv.fs': 'riscv.pte',
  'riscv.ss': 'riscv.pte',
  'riscv.fault-record': 'riscv.fault',
  'riscv.fq': 'riscv.fault',
  'riscv.cmd.vma': 'riscv.cmd.iotinval-vma',
  'riscv.cmd.gvma': 'riscv.cmd.iotinval-gvma',
  'riscv.cmd.iofence': 'riscv.cmd.iofence-c',
  'riscv.cmd.inval-ddt': 'riscv.cmd.iodir-inval-ddt',
  'riscv.cmd.inval-pdt': 'riscv.cmd.iodir-inval-pdt',
  'riscv.caps': 'riscv.capabilities',
  'riscv.cqb': 'riscv.queue-base',
  'riscv.fqb': 'riscv.queue-base',
  'riscv.pqb': 'riscv.queue-base',
}

/** What the specification calls the words of contexts. */
const CONTEXT = ['tc', 'iohgatp', 'ta', 'fsc'] as const
export const wordNames: Readonly<Record<string, readonly string[]>> = {
  [tables.deviceContext.name]: [...CONTEXT, 'msiptp', 'msi_addr_mask', 'msi_addr_pattern'],
  [tables.baseDeviceContext.name]: CONTEXT,
  [tables.processContext.name]: ['ta', 'fsc'],
}

const titles = new Map(entries.map(({ name, title }) => [name, title]))

/** "Process context" for "riscv.pc". */
export const titleOf = (name: string): string => titles.get(name) ?? name
