// The public face of the seven drivers.
export { createDriver } from './kinds.js'
export type { KindName } from './kinds.js'
export type { LegacyDriver, LegacyOptions } from './driver.js'
export type { RecordedFault } from './programming/planner.js'
