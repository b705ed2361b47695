// The AMD-Vi driver's public face.
export { createAmdVi } from './driver.js'
export type { AmdVi, AmdViOptions } from './driver.js'
export type { FaultReport, RecordedFault } from './programming/faults.js'
export type { FirmwareBits } from './unit.js'
