// The way through a capture: every entry of a device in turn, each with the driver's own words for it.
import { decode } from '@iommu/bits'
import { extendedFeatures, pasidBitsOfLevels } from '@iommu/driver-amd-vi/registers'
import { deviceTableEntry, gcr3Entry } from '@iommu/driver-amd-vi/tables'
import type { GuestLevels } from '@iommu/driver-amd-vi/registers'
import { loadWords } from '@iommu/hardware'
import { registerOf } from '../capture.js'
import type { Capture, CapturedDevice } from '../capture.js'
import { Gathering, lost, refused } from '../gathering.js'
import { loadRecorded } from '../recorded-pages.js'
import { ruleFor } from '../reproduce-rule.js'
import type { Gathered } from '../vendor.js'
import { rewriteDevice, rewriteGcr3 } from './reproduce-kinds.js'
import { reproduceRules } from './reproduce-rules.js'
import { tableWriter } from './reproduce-tables.js'
import { HOST_ADDRESS_BITS } from './unit.js'
import type { AmdUnit } from './unit.js'

const ENTRY_BYTES = 32
const ENTRIES = 512

interface Way {
  readonly unit: AmdUnit
  readonly gathering: Gathering
}

/** The entries of a GCR3 table that say something, and what they lead to. */
const addGcr3 = (way: Way, bdf: string, table: bigint, level: number, firstPasid: number, pasidLevels: GuestLevels): void => {
  const { unit: { view, capabilities }, gathering } = way
  if (!gathering.first(`GCR3 ${level} ${table}`)) return
  for (let index = 0; index < ENTRIES; index++) {
    const address = table + BigInt(index * 8)
    const recorded = loadWords(view, address, 1)
    if (recorded[0] === 0n) continue
    const pasid = firstPasid + index * 2 ** pasidBitsOfLevels(level - 1)
    const found = { bdf, pasid, entry: gcr3Entry.name, address, recorded }
    const { V, ADDR } = decode(gcr3Entry, recorded)
    if (V === 0) gathering.add(found, rewriteGcr3(recorded))
    else if (loadRecorded(view, ADDR, 1) === undefined) gathering.add(found, lost(ADDR))
    else if (level > 1) {
      gathering.add(found, rewriteGcr3(recorded))
      addGcr3(way, bdf, ADDR, level - 1, pasid, pasidLevels)
    } else {
      gathering.add(found, rewriteGcr3(recorded), {
        root: ADDR, entry: 'amd.v2',
        writer: tableWriter({ stage: 'guest', levels: pasidLevels, capabilities, hostAddressBits: HOST_ADDRESS_BITS }),
      })
    }
  }
}

/** The device table entry of a device, and what it leads to. */
const addDevice = (way: Way, { bdf, requesterId }: CapturedDevice): void => {
  const { unit: { view, capabilities, deviceTable }, gathering } = way
  const address = deviceTable.base + BigInt(requesterId * ENTRY_BYTES)
  if (requesterId * ENTRY_BYTES >= deviceTable.bytes) {
    gathering.add({ bdf, entry: deviceTableEntry.name, address, recorded: [] }, refused('the device id lies beyond the end of the device table'))
    return
  }
  const recorded = loadWords(view, address, 4)
  const found = { bdf, entry: deviceTableEntry.name, address, recorded }
  const { host, gcr3, ...rewritten } = rewriteDevice(capabilities, recorded)
  if (host !== undefined) {
    gathering.add(found, rewritten, {
      root: host.root, entry: 'amd.v1',
      writer: tableWriter({ stage: 'host', levels: host.levels, capabilities, hostAddressBits: HOST_ADDRESS_BITS }),
    })
    return
  }
  const readable = gcr3 === undefined || loadRecorded(view, gcr3.root, 1) !== undefined
  gathering.add(found, readable ? rewritten : lost(gcr3.root))
  if (gcr3 !== undefined && readable) addGcr3(way, bdf, gcr3.root, gcr3.levels, 0, gcr3.pasidLevels)
}

/**
 * Every device table entry, GCR3 entry and page-table entry of the capture's devices; none where translation is off.
 * Throws InputError where the device table was not recorded.
 */
export const gather = (unit: AmdUnit, capture: Capture): Gathered => {
  const gathering = new Gathering(unit.view)
  if (unit.mode === 'on') for (const device of capture.devices) addDevice({ unit, gathering }, device)
  const { PPRSup } = decode(extendedFeatures, [registerOf(capture, 'EFR')])
  const facts = { pageRequests: PPRSup === 1 }
  return { compared: gathering.rows, ruleFor: (difference) => ruleFor(reproduceRules, facts, difference) }
}
