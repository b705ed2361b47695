// Registers as layouts, the fault record among them (exported as ./registers).
export * from './fault-record.js'
export * from './registers.js'
