// How AMD-Vi's driver writes page tables, for the comparison with recorded ones.
import { tablesFormat, writeTables } from '@iommu/driver-amd-vi/reproduce'
import type { TablesFacts } from '@iommu/driver-amd-vi/reproduce'
import type { TableWriter } from '../compared-tables.js'

/** Throws RangeError for levels that the stage has not. */
export const tableWriter = (facts: TablesFacts): TableWriter => ({
  format: tablesFormat(facts),
  coherent: true,
  write: (memory, { pages, empty }) => writeTables(memory, facts, pages, empty).rootFrame,
})
