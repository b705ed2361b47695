// Commands and fault records: what lies in the queues (exported as ./queues).
export * from './commands.js'
export * from './fault-record.js'
