// The manifest: what this backend declares, from what the SMMUs can do.
import { CONTRACT } from '@iommu/core'
import type { Manifest } from '@iommu/core'
import { UNBUILT } from '@iommu/core/driver'
import { formatNames, pasidFormatNames } from './domains/formats.js'
import { svaObstacle } from './domains/sva.js'
import type { Unit } from './unit.js'

/** A CPU with 48-bit addresses, by its smallest page. */
const CPUS = [{ pageShift: 12, levels: 4 }, { pageShift: 14, levels: 4 }, { pageShift: 16, levels: 3 }] as const

/** The declaration of a driver over these SMMUs; the first one's formats and PASIDs. */
export const declare = (units: readonly Unit[]): Manifest => {
  const [unit] = units as [Unit]
  const { capabilities } = unit
  const pasids = capabilities.stage1 && capabilities.substreamBits > 0
  const maxPasids = pasids ? 2 ** capabilities.substreamBits : 0
  const everywhere = { rid: true, pasid: pasids }
  const formats = formatNames(unit)
  return Object.freeze({
    contract: CONTRACT,
    name: 'driver-arm-smmuv3',
    hardware: `Arm SMMUv3, ${[...(capabilities.stage1 ? ['stage 1'] : []), ...(capabilities.stage2 ? ['stage 2'] : [])].join(' and ')}`,
    blocked: everywhere,
    identity: { rid: true, pasid: false },
    paging: everywhere,
    sva: { rid: false, pasid: CPUS.some((cpu) => svaObstacle(unit, cpu) === undefined) },
    maxPasids,
    pasidsOutliveBlockedRid: pasids,
    standInBlocks: true,
    formats,
    ...(pasids ? { pasidFormats: pasidFormatNames(unit), pasidsUnder: ['blocked', 'identity', ...pasidFormatNames(unit)] } : {}),
    // One word of the entry turns bypass into a stage, and back (IHI0070 3.21.3).
    hitless: formats.flatMap((format) => [`identity>${format}`, `${format}>identity`]),
    limits: Object.freeze({
      ...(pasids ? {} : { pasid: capabilities.stage1 ? 'IDR1.SSIDSIZE is 0' : 'SSIDs need stage 1' }),
      'identity on PASIDs': 'no context descriptor passes addresses through',
      'stage 2 with PASIDs': 'a stream of stage 2 has no CD table',
      hitless: 'two domains of a stage differ in more than one word of the entry: a switch blocks DMA for a moment',
      ...UNBUILT,
    }),
  })
}
