// Registers as layouts, fault records among them, and what they say of capabilities, in words (exported as ./registers).
export * from './capabilities.js'
export * from './fault-record.js'
export * from './registers.js'
