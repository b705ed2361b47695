// Descriptors: what lies in the invalidation queue (exported as ./queues).
export * from './descriptors.js'
