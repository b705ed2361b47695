// The SMMU's tables, commands, events and registers as layouts. Page-table entries are in @iommu/page-table.
export * from './capabilities.js'
export * from './commands.js'
export * from './context.js'
export * from './events.js'
export * from './page-request.js'
export * from './registers.js'
export * from './stream.js'
