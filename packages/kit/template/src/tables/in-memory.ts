// The tables in memory as layouts (exported as ./tables).
export * from './device.js'
