// The kit: the files of a new driver, in this workspace or outside of it.
export { scaffoldDriver } from './driver.js'
export type { DriverName, ScaffoldFile } from './driver.js'
export { readName } from './name.js'
export { findWorkspace } from './workspace.js'
