// The SMMUv3 driver's public face.
export { createArmSmmuv3 } from './driver.js'
export type { ArmSmmuv3, SmmuOptions } from './driver.js'
export type { EventReport, RecordedEvent } from './programming/events.js'
