// The RISC-V IOMMU driver's public face.
export { createRiscv } from './driver.js'
export type { Riscv, RiscvOptions } from './driver.js'
export type { FaultReport, RecordedFault } from './programming/faults.js'
