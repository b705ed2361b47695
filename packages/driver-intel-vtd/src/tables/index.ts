// VT-d's tables, descriptors and registers as layouts. Page-table entries are in @iommu/page-table.
export * from './capabilities.js'
export * from './context.js'
export * from './descriptors.js'
export * from './fault-record.js'
export * from './pasid.js'
export * from './registers.js'
export * from './root.js'
