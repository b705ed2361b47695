// Commands, events and page requests: what lies in the rings (exported as ./queues).
export * from './commands.js'
export * from './event-log.js'
