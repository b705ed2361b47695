// What every driver of the contract keeps, whatever its hardware: ids, its devices, where its domains are, who is on a point.
export * from './changes.js'
export * from './devices.js'
export * from './domains.js'
export * from './flushes.js'
export * from './ids.js'
export * from './memory.js'
export * from './occupants.js'
export * from './shares.js'
