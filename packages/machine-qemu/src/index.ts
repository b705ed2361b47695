// A machine that is QEMU.
export { amdCapabilityHeader, amdVi, withoutGuestTables } from './boards/amd-vi.js'
export { smmuv3, smmuv3Stage2 } from './boards/arm-smmuv3.js'
export type { Board, BoardFacts, PasidQuestions, RecordedFault } from './boards/board.js'
export {
  vtdFirstStage, vtdFirstStageCaching, vtdLegacy, vtdLegacyCaching, vtdSecondStage, vtdSecondStageCaching,
} from './boards/intel-vtd.js'
export { riscv, riscvBase, withoutProcessDirectories } from './boards/riscv.js'
export { DEVICE_WINDOW } from './dma-device.js'
export { QemuError } from './emulator.js'
export { boardLack, factsOf } from './facts.js'
export { cacheFolder, EMULATORS, findInstallation, findInstallations, HOW_TO_GET, installationIn, REFERENCE_SERIES } from './installations.js'
export type { Command, Emulator, Installation } from './installations.js'
export { DEVICES, requireInstallation, startQemu } from './machine.js'
export type { Qemu, QemuMachine, QemuOptions } from './machine.js'
export type { RamFile } from './ram.js'
export { unavailable, UnavailableError } from './unavailable.js'
