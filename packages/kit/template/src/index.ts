// The driver's public face.
export { createAcme } from './driver.js'
export type { Acme, AcmeOptions } from './driver.js'
export type { FaultReport, RecordedFault } from './programming/faults.js'
