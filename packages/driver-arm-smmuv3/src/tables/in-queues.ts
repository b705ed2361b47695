// Commands, events and page requests: what lies in the queues (exported as ./queues).
export * from './commands.js'
export * from './events.js'
export * from './page-request.js'
