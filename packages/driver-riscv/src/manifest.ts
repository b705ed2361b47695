// The manifest: what this backend declares, from what the units can do.
import { CONTRACT } from '@iommu/core'
import type { Manifest } from '@iommu/core'
import { UNBUILT } from '@iommu/core/driver'
import { formatNames } from './domains/formats.js'
import { svaObstacle } from './domains/sva.js'
import { processSplit, splitLimit } from './tables/index.js'
import type { Unit } from './unit.js'

/** The declaration of a driver over these units; the first one's formats and PASIDs. */
export const declare = (units: readonly Unit[]): Manifest => {
  const [unit] = units as [Unit]
  const { capabilities, pasids } = unit
  const widest = capabilities.processLevels.at(-1)
  const maxPasids = pasids && widest !== undefined ? splitLimit(processSplit(widest)) : 0
  const everywhere = { rid: true, pasid: pasids }
  const formats = formatNames(unit)
  return Object.freeze({
    contract: CONTRACT,
    name: 'driver-riscv',
    hardware: `RISC-V IOMMU, ${capabilities.extended ? 'extended' : 'base'} device contexts`,
    blocked: everywhere,
    identity: everywhere,
    paging: formats.length > 0 ? everywhere : { rid: false, pasid: false },
    sva: { rid: false, pasid: capabilities.firstStageLevels.some((levels) => svaObstacle(unit, { levels, pageShift: 12 }) === undefined) },
    maxPasids,
    pasidsOutliveBlockedRid: pasids,
    standInBlocks: formats.length > 0,
    formats,
    // One word makes the switch: the mode and root of one stage.
    hitless: formats.flatMap((format) => [`identity>${format}`, `${format}>identity`]),
    limits: Object.freeze({
      ...(pasids ? { 'second stage': 'it is a whole device\'s, and would translate its PASIDs too' }
        : { pasid: capabilities.processLevels.length === 0 ? 'the unit has no process directories' : 'the unit has no first stage' }),
      'paging to paging': 'root and identifier lie in two words: a switch blocks DMA for a moment',
      'silent exit': 'only a whole device\'s faults can be left unrecorded, not those of one PASID',
      ...UNBUILT,
    }),
  })
}
