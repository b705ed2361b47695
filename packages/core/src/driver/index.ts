// What every driver of the contract keeps, whatever its hardware: ids, where its domains are, who is on a point.
export * from './ids.js'
export * from './occupants.js'
export * from './shares.js'

/** Told, in a sentence, of what cannot be helped: hardware that does not answer while a device is blocked. */
export type Warn = (sentence: string) => void
