// The RISC-V IOMMU's tables in memory as layouts (exported as ./tables). Page-table entries are in @iommu/page-table.
export * from './device-context.js'
export * from './directory.js'
export * from './process-context.js'
