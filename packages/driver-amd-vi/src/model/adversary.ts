// The AMD side of adversarial mode: which entries a request reads, under which tags, and the walks.
import { createAdversary, frameOf, framesAround, keyOf, stoppedBy, supplied } from '@iommu/hardware'
import type { Adversary, AdversaryOptions, Fetch, Fetched, HardwareEvent, Look, Reached, Vendor, Walked } from '@iommu/hardware'
import { ABSENT, LEAF, rootPointer, walkFrom } from '@iommu/page-table'
import type { TablePointer } from '@iommu/page-table'
import type { GuestLevels, HostLevels } from '../tables/index.js'
import { fetchDeviceEntry, fetchGcr3, Stopped } from './copies.js'
import type { DeviceContext, Reader } from './copies.js'
import { commandOf } from './drops.js'
import type { AmdMachine } from './index.js'
import type { Asked, Supply, Translation } from './supply.js'
import { readerOf, translate } from './translate.js'
import type { Hardware } from './translate.js'
import { amdWalk, passingLeaf } from './walks.js'

const { attempt, usable } = stoppedBy(Stopped)

/** A copy of a device table entry. Whatever it says it is kept (rule 6). */
const entryCopy = (source: number, value: DeviceContext | Stopped): Fetched<DeviceContext | Stopped> => ({
  value,
  key: keyOf(value),
  tag: {
    cache: 'device', source, pasid: 0, absent: value instanceof Stopped || value.kind !== 'translates',
    domain: value instanceof Stopped ? 0 : value.domainId,
  },
  keeps: true,
  names: value instanceof Stopped ? [] : [
    ...(value.host === undefined ? [] : [value.host.root]), ...(value.guest === undefined ? [] : [frameOf(value.guest.table)]),
  ],
})

type Walk = (memory: Reader['view'], start: TablePointer | undefined, reach: (pointer: Reached<TablePointer>) => void) => Walked<Translation>

/** What a pointer to a guest root is kept for: every address. */
const EVERY_BIT = 64

/**
 * A walk from the root that the entry names, or for guest tables from the GCR3 table: its entries are the first steps of
 * the walk, and a pointer to a guest root is kept like those to other tables, under the same tag.
 */
const walkOf = (hardware: Hardware, { stage, levels, root, gcr3, pasid, address }: Asked): Walk => {
  const { formats, capabilities } = hardware
  const frame = frameOf(address)
  const answer = (value: Translation, keeps: boolean, shift: number): Walked<Translation> =>
    ({ value, key: keyOf(value), keeps, ...framesAround(frame, shift) })
  // Pass-through answers are kept like others: under the tag of the entry.
  if (stage === 'pass-through') return () => answer({ leaf: passingLeaf(frame), stage }, true, 12)
  const format = stage === 'host' ? formats.host(levels as HostLevels) : formats.guest(levels as GuestLevels)
  return (view, start, reach) => {
    const tell = (pointer: TablePointer, covers: number): void =>
      reach({ value: pointer, key: keyOf(pointer), page: pointer.frame, ...framesAround(frame, covers) })
    let from = start
    if (from === undefined) {
      const found = gcr3 === undefined ? root : attempt(() => fetchGcr3({ ...readerOf(hardware), view }, gcr3, pasid))
      if (found instanceof Stopped) return answer({ leaf: found, stage }, capabilities.notPresentCache && found.cause.present !== true, 12)
      from = rootPointer(format, found)
      if (gcr3 !== undefined) tell(from, EVERY_BIT)
    }
    const leaf = walkFrom(amdWalk, format, view, frame, from, tell)
    const keeps = leaf.status === LEAF || (leaf.status === ABSENT && capabilities.notPresentCache)
    return answer({ leaf, stage }, keeps, leaf.status === LEAF ? leaf.pageShift : 12)
  }
}

/** Copies and translations as the look gives them. */
const supplyOf = (hardware: Hardware, look: Look<Translation, TablePointer>): Supply => {
  const reader = (fetch: Fetch): Reader => ({ ...readerOf(hardware), fetch })
  return {
    entry: (source) => usable(look.entry({
      key: `device 0x${source.toString(16)}`,
      place: hardware.state.deviceTable.base,
      fetch: (read, base) => entryCopy(source, attempt(() =>
        fetchDeviceEntry(reader(read), { ...hardware.state.deviceTable, base }, source))),
    })),
    leaf: (asked) => look.translation({
      tag: { space: asked.stage === 'guest' ? 'guest' : 'host', domain: asked.domainId, pasid: asked.stage === 'guest' ? asked.pasid : 0 },
      frame: frameOf(asked.address),
      from: `${asked.stage} ${asked.levels} ${asked.root} ${asked.gcr3?.table ?? ''} ${asked.gcr3?.gcr3Levels ?? ''}`,
      walk: walkOf(hardware, asked),
    }),
  }
}

/** What hardware completes in order without being told to wait; entries, then pages, then device TLBs. */
const ORDER: Readonly<Record<string, number>> = { 'device-entry': 0, pages: 1, 'device-tlb': 2 }

const vendorOf = ({ hardware, memory, endpoint }: AmdMachine): Vendor<Translation, TablePointer> => ({
  translate: (request, look) =>
    translate(hardware, request, supplied(supplyOf(hardware, look))),
  settings: () => Object.values(hardware.state),
  command: (event: HardwareEvent) =>
    (event.kind === 'command' ? commandOf(event, (address, data) => memory.load64(address) === data) : undefined),
  ordered: (earlier, later) => (ORDER[earlier.kind] ?? 3) < (ORDER[later.kind] ?? -1),
  hasDeviceTlb: (source) => endpoint(source).config.enabled.ats,
})

/** Adversarial mode over one unit. Made before the driver, it sees every store. */
export const createAmdAdversary = (machine: AmdMachine, options: AdversaryOptions = {}): Adversary =>
  createAdversary(machine, vendorOf(machine), options)
