// What Linux has written for a device without a domain, by version: entries of "detached" and "blocked", and what they do.
import { encode } from '@iommu/bits'
import { deviceTableEntry, platformWords } from '../tables/index.js'

/** An entry of a device that has no domain. */
export interface HistoricEntry {
  readonly id: string
  /** File, function and versions. */
  readonly source: string
  readonly says: string
  /** What a read and a write of the device meet. */
  readonly reads: 'blocked' | 'passes'
  readonly writes: 'blocked' | 'passes'
  words(current: readonly bigint[]): bigint[]
}

type Fields = Parameters<typeof encode<typeof deviceTableEntry['fields']>>[1]

const entry = (facts: Omit<HistoricEntry, 'words'>, fields: Fields): HistoricEntry =>
  ({ ...facts, words: (current) => encode(deviceTableEntry, fields, platformWords(current)) })

export const historicEntries: readonly HistoricEntry[] = [
  entry({
    id: 'detached-2022', source: 'drivers/iommu/amd/iommu.c clear_dte_entry, 2022', reads: 'blocked', writes: 'blocked',
    says: 'V and TV, Mode 0, neither IR nor IW: valid pass-through without any permission, which blocks',
  }, { V: 1, TV: 1 }),
  entry({
    id: 'detached-2022-erratum-63', source: 'drivers/iommu/amd/init.c amd_iommu_apply_erratum_63, 2022', reads: 'blocked', writes: 'passes',
    says: 'the same, and then IW for a device with SysMgt 1: its writes pass through, whoever has detached it',
  }, { V: 1, TV: 1, IW: 1, SysMgt: 1 }),
  entry({
    id: 'blocked-6.12', source: 'drivers/iommu/amd/iommu.c clear_dte_entry, 6.12', reads: 'blocked', writes: 'blocked',
    says: 'V and TV, Mode 0, neither IR nor IW, as a captured 6.12 has it',
  }, { V: 1, TV: 1 }),
  entry({
    id: 'blocked-7.3', source: 'drivers/iommu/amd/iommu.c clear_dte_entry, 7.3.4', reads: 'blocked', writes: 'blocked',
    says: 'V alone: the fields of translation are not valid, DMA is aborted',
  }, { V: 1 }),
]
