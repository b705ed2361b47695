// Registers as layouts, and what they say of capabilities, in words (exported as ./registers).
export * from './capabilities.js'
export * from './registers.js'
