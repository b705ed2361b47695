// All layouts, for the driver and its model.
export * from './in-memory.js'
export * from './in-queues.js'
export * from './in-registers.js'
