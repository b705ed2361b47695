// The registers of the seven, and s390's instructions, as layouts, each by its hardware's name (exported as ./registers).
export { control as pamuControl, violation as pamuViolation } from './fsl-pamu.js'
export {
  routing as msmRouting,
  systemControl as msmSystemControl,
  auxiliary as msmAuxiliary,
  tableBase as msmTableBase,
  pageInvalidation as msmPageInvalidation,
  faultStatus as msmFaultStatus,
} from './msm.js'
export { portBits as mtkV1PortBits, control as mtkV1Control, interrupts as mtkV1Interrupts } from './mtk-v1.js'
export { control as omapControl, interrupts as omapInterrupts, cam as omapCam } from './omap.js'
export { request as s390Request, answer as s390Answer, anchor as s390Anchor } from './s390.js'
export { config as tegraGartConfig, errorRequest as tegraGartErrorRequest } from './tegra-gart.js'
export {
  config as tegraSmmuConfig,
  pageDirectoryBase as tegraSmmuPageDirectoryBase,
  asidRegister as tegraSmmuAsidRegister,
  tlbFlush as tegraSmmuTlbFlush,
  ptcFlush as tegraSmmuPtcFlush,
  errorStatus as tegraSmmuErrorStatus,
} from './tegra-smmu.js'
