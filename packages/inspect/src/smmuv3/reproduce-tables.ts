// How SMMUv3's driver writes page tables, for the comparison with recorded ones.
import { tablesFormat, writeTables } from '@iommu/driver-arm-smmuv3/reproduce'
import type { TablesFacts } from '@iommu/driver-arm-smmuv3/reproduce'
import type { TableWriter } from '../compared-tables.js'

export const tableWriter = (facts: TablesFacts): TableWriter => ({
  format: tablesFormat(facts),
  coherent: facts.capabilities.coherent,
  write: (memory, { pages, empty }) => writeTables(memory, facts, pages, empty).rootFrame,
})
