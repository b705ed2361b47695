// The RISC-V IOMMU's tables, commands and registers as layouts. Page-table entries are in @iommu/page-table.
export * from './capabilities.js'
export * from './commands.js'
export * from './device-context.js'
export * from './directory.js'
export * from './fault-record.js'
export * from './process-context.js'
export * from './registers.js'
