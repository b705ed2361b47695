// AMD-Vi's tables in memory as layouts (exported as ./tables). Page-table entries are in @iommu/page-table.
export * from './device-table.js'
export * from './gcr3.js'
