// What four of the seven read in memory, as layouts, each by its hardware's name (exported as ./tables).
export { paace as pamuPaace } from './fsl-pamu.js'
export { pageEntry as mtkV1PageEntry } from './mtk-v1.js'
export { pageEntry as tegraGartPageEntry } from './tegra-gart.js'
export { directoryEntry as tegraSmmuDirectoryEntry, pageEntry as tegraSmmuPageEntry } from './tegra-smmu.js'
