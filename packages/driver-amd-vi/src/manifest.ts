// The manifest: what this backend declares, from what the units can do.
import { CONTRACT } from '@iommu/core'
import type { Manifest } from '@iommu/core'
import { UNBUILT } from '@iommu/core/driver'
import { formatNames, pasidFormatNames } from './domains/formats.js'
import { svaObstacle } from './domains/sva.js'
import { pasidBitsOfLevels } from './tables/index.js'
import type { Unit } from './unit.js'

/**
 * Pairs of states of a requester id that are switched without a moment in which DMA is blocked: one 16-byte store, or one
 * 8-byte store in a GCR3 table. Only where GuestPagingMode changes while it is in use the device is aborted in between.
 */
const hitlessPairs = (unit: Unit): string[] => {
  const [shallow] = pasidFormatNames(unit)
  const kinds = ['blocked', 'identity', ...formatNames(unit)]
  const isDeep = (kind: string): boolean => kind.startsWith('v2') && kind !== shallow
  const usesMode = (kind: string): boolean => kind === 'identity' || kind === shallow
  const changesMode = (from: string, to: string): boolean => isDeep(from) && usesMode(to)
  return kinds.flatMap((from) => kinds.flatMap((to) =>
    // Blocked and identity are one domain each: there is nothing to switch.
    ((from === to && !formatNames(unit).includes(from)) || changesMode(from, to) || changesMode(to, from) ? [] : [`${from}>${to}`])))
}

/** The declaration of a driver over these units; the first one's formats and PASIDs. */
export const declare = (units: readonly Unit[]): Manifest => {
  const [unit] = units as [Unit]
  const { capabilities, pasidLevels } = unit
  const pasids = pasidFormatNames(unit).length > 0
  const everywhere = { rid: true, pasid: pasids }
  return Object.freeze({
    contract: CONTRACT,
    name: 'driver-amd-vi',
    hardware: `AMD-Vi, ${!capabilities.guest ? 'host tables' : capabilities.guestIo ? 'host and guest tables' : 'host tables, guest tables on PASIDs'}`,
    blocked: everywhere,
    identity: { rid: true, pasid: false },
    paging: everywhere,
    sva: { rid: false, pasid: svaObstacle(unit, { levels: pasidLevels, pageShift: 12 }) === undefined },
    maxPasids: pasids ? 2 ** Math.min(capabilities.pasidBits, pasidBitsOfLevels(capabilities.gcr3Levels)) : 0,
    pasidsOutliveBlockedRid: pasids && capabilities.guestIo,
    standInBlocks: true,
    formats: formatNames(unit),
    ...(pasids ? {
      pasidFormats: pasidFormatNames(unit),
      pasidsUnder: ['identity', ...(capabilities.guestIo ? ['blocked', ...pasidFormatNames(unit)] : [])],
    } : {}),
    hitless: hitlessPairs(unit),
    limits: Object.freeze({
      ...(pasids
        ? {
            'identity on a PASID': 'an entry of a GCR3 table leads to guest tables or nowhere',
            'host tables beside PASIDs': 'guest translation over host tables is nested: EBUSY, or EINVAL for the PASID',
            'guest tables of another depth beside PASIDs': 'GuestPagingMode is one for the whole device',
            'hitless between guest tables of different depth': 'GuestPagingMode is in the other half of the entry',
            'silent exit': 'an absent GCR3 entry has no bit that keeps its faults out of the log',
          }
        : { pasid: capabilities.guest ? 'the unit has no guest tables of the depth that PASIDs need' : 'EFR.GTSup is 0' }),
      ...(pasids && !capabilities.guestIo
        ? { 'PASIDs under a blocked requester id': 'EFR.GIOSup is 0: the entry that blocks aborts them too, until the next attach' } : {}),
      ...UNBUILT,
    }),
  })
}
