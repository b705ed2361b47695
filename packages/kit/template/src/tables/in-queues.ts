// Commands: what lies in the queue (exported as ./queues).
export * from './commands.js'
