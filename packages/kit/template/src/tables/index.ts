// The tables, commands and registers as layouts.
export * from './commands.js'
export * from './device.js'
export * from './fault-record.js'
export * from './registers.js'
