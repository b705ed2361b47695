// AMD-Vi's tables, commands, events and registers as layouts. Page-table entries are in @iommu/page-table.
export * from './capabilities.js'
export * from './commands.js'
export * from './device-table.js'
export * from './event-log.js'
export * from './gcr3.js'
export * from './registers.js'
