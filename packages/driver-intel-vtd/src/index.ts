// The Intel VT-d driver's public face.
export { createIntelVtd } from './driver.js'
export type { IntelVtd, VtdOptions } from './driver.js'
export type { FaultReport, RecordedFault } from './programming/faults.js'
