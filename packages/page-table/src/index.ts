// One radix page-table algorithm, the formats that it writes, and the walk that hardware makes through them.
export * from './cpu-address-space.js'
export * from './format.js'
export * from './formats/vtd-second-stage.js'
export * from './formats/x86-64.js'
export * from './leaves.js'
export { createPageTable } from './page-table.js'
export type { PageTable, PageTableOptions } from './page-table.js'
export * from './walk.js'
