// How VT-d's driver writes page tables, for the comparison with recorded ones.
import { pagesSnooped, tablesFormat, writeTables } from '@iommu/driver-intel-vtd/reproduce'
import type { TablesFacts } from '@iommu/driver-intel-vtd/reproduce'
import type { TableWriter } from '../compared-tables.js'

/** Throws RangeError for levels that the stage has not. */
export const tableWriter = (facts: Omit<TablesFacts, 'snoop'>): TableWriter => ({
  format: tablesFormat({ ...facts, snoop: false }),
  coherent: pagesSnooped(facts.capabilities, facts.scalable),
  write: (memory, { pages, empty, snoop }) => writeTables(memory, { ...facts, snoop }, pages, empty).rootFrame,
})
