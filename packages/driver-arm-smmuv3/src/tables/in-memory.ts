// The SMMU's tables in memory as layouts (exported as ./tables). Page-table entries are in @iommu/page-table.
export * from './context.js'
export * from './stream.js'
