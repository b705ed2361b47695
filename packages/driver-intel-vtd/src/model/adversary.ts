// The VT-d side of adversarial mode: which entries a request reads, under which tags, and the walks.
import { decode } from '@iommu/bits'
import { createAdversary, dropOf, frameOf, framesAround, keyOf, stoppedBy, supplied } from '@iommu/hardware'
import type { Adversary, AdversaryOptions, Command, Fetch, Fetched, HardwareEvent, Look, Reached, Vendor, Walked } from '@iommu/hardware'
import { ABSENT, LEAF, rootPointer, walkFrom } from '@iommu/page-table'
import type { TablePointer } from '@iommu/page-table'
import { globalCommand, OFFSETS } from '../tables/index.js'
import { fetchLegacyContext, fetchPasid, fetchScalableContext, Stopped } from './copies.js'
import type { LegacyContext, PasidContext, Reader, ScalableContext } from './copies.js'
import { commandOf, everything } from './drops.js'
import type { VtdMachine } from './index.js'
import type { Asked, Supply, Translation } from './supply.js'
import { translate } from './translate.js'
import type { Hardware } from './translate.js'
import { vtdWalk } from './walks.js'
import type { Leaf } from './walks.js'

type Context = LegacyContext | ScalableContext

const { attempt, usable } = stoppedBy(Stopped)

const DIRECTORY_FRAME_PASIDS = 0x8000

const namesOf = (context: Context): number[] => {
  if (context.mode === 'legacy') return context.passThrough ? [] : [context.root]
  const frames = Math.max(1, context.pasidLimit / DIRECTORY_FRAME_PASIDS)
  return Array.from({ length: frames }, (_, index) => frameOf(context.directory) + index)
}

/** What a copy of a context entry is. Entries that are absent or wrong are kept in caching mode only (rule 6). */
const contextCopy = (hardware: Hardware, source: number, value: Context | Stopped): Fetched<Context | Stopped> => ({
  value,
  key: keyOf(value),
  tag: {
    cache: 'context', source, pasid: 0, absent: value instanceof Stopped,
    domain: value instanceof Stopped || value.mode === 'scalable' ? 0 : value.domainId,
  },
  keeps: !(value instanceof Stopped) || hardware.capabilities.cachingMode,
  names: value instanceof Stopped ? [] : namesOf(value),
})

const pasidCopy = (hardware: Hardware, source: number, pasid: number, value: PasidContext | Stopped): Fetched<PasidContext | Stopped> => ({
  value,
  key: keyOf(value),
  tag: {
    cache: 'pasid', source, pasid, absent: value instanceof Stopped, domain: value instanceof Stopped ? 0 : value.domainId,
  },
  keeps: !(value instanceof Stopped) || hardware.capabilities.cachingMode,
  names: value instanceof Stopped || value.type === 'pass-through' ? [] : [value.root],
})

const pageLeaf = (frame: number): Leaf => ({
  status: LEAF, level: 1, frame, pageShift: 12, read: true, write: true, execute: false, user: true, snoop: false,
})

const walkOf = (hardware: Hardware, asked: Asked): ((memory: Reader['view'], start: TablePointer | undefined, reach: (pointer: Reached<TablePointer>) => void) => Walked<Translation>) => {
  const { formats, capabilities } = hardware
  const { stage, levels, root, address, forceSnoop } = asked
  const frame = frameOf(address)
  const answer = (leaf: Leaf, snoop: boolean, keeps: boolean, shift: number): Walked<Translation> =>
    ({ value: { leaf, stage, snoop }, key: keyOf({ leaf, stage, snoop }), keeps, ...framesAround(frame, shift) })
  // Pass-through answers are kept like others: under the tag of the entry (section 6.2.1?).
  if (stage === 'pass-through') return () => answer(pageLeaf(frame), false, true, 12)
  const format = stage === 'first' ? formats.first(levels) : formats.second(levels)
  return (view, start, reach) => {
    const leaf = walkFrom(vtdWalk, format, view, frame, start ?? rootPointer(format, root), (pointer, covers) =>
      reach({ value: pointer, key: keyOf(pointer), page: pointer.frame, ...framesAround(frame, covers) }))
    // That nothing is mapped is kept in caching mode, and never of first-stage tables.
    const keeps = leaf.status === LEAF || (leaf.status === ABSENT && stage === 'second' && capabilities.cachingMode)
    return answer(leaf, stage === 'first' ? forceSnoop : leaf.snoop, keeps, leaf.status === LEAF ? leaf.pageShift : 12)
  }
}

/** Copies and translations as the look gives them. */
const supplyOf = (hardware: Hardware, look: Look<Translation, TablePointer>): Supply => {
  const { memory, capabilities, hostAddressBits, state } = hardware
  const reader = (fetch: Fetch): Reader => ({ view: memory.walker, capabilities, hostAddressBits, fetch })
  return {
    context: (source) => usable(look.entry({
      key: `context 0x${source.toString(16)}`,
      place: state.rootTable,
      fetch: (read, rootTable) => contextCopy(hardware, source, attempt((): Context => (state.mode === 'legacy'
        ? fetchLegacyContext(reader(read), rootTable, source)
        : fetchScalableContext(reader(read), rootTable, source)))),
    })),
    pasid(source, from, pasid) {
      const copy = usable(look.entry({
        key: `pasid 0x${source.toString(16)}/${pasid}`,
        place: from.directory,
        // Silence that the context entry asks for is not the copy's: the same copy serves after that has changed.
        fetch: (read, directory) => pasidCopy(hardware, source, pasid, attempt(() =>
          fetchPasid(reader(read), { ...from, directory, silent: false }, pasid))),
      }))
      return from.silent ? { ...copy, silent: true } : copy
    },
    leaf: (asked) => look.translation({
      // Legacy mode has no PASIDs: pass-through there is tagged by domain like everything else.
      tag: asked.stage === 'second' || state.mode === 'legacy'
        ? { space: 'second', domain: asked.domainId, pasid: 0 }
        : { space: 'first', domain: asked.domainId, pasid: asked.pasid },
      frame: frameOf(asked.address),
      from: `${asked.stage} ${asked.levels} ${asked.root} ${asked.forceSnoop}`,
      walk: walkOf(hardware, asked),
    }),
  }
}

/** Writes that change which tables are read, or whether. The root pointer is in force once it has been set. */
const registerCommand = ({ capabilities }: Hardware, offset: number, value: bigint): Command | undefined => {
  if (offset !== OFFSETS.GCMD) return undefined
  const { SRTP } = decode(globalCommand, [value])
  const drops = SRTP === 1 && capabilities.rootPointerInvalidates
  return { text: 'GCMD', kind: 'register', completes: drops, fences: false, ...(drops ? { drop: dropOf(everything) } : {}) }
}

const vendorOf = ({ hardware, memory, endpoint }: VtdMachine): Vendor<Translation, TablePointer> => ({
  translate: (request, look) =>
    translate(hardware, request, supplied(supplyOf(hardware, look))),
  settings: () => Object.values(hardware.state),
  command(event: HardwareEvent) {
    if (event.kind === 'register') return registerCommand(hardware, event.offset, event.value)
    if (event.kind !== 'command') return undefined
    return commandOf(event, hardware.capabilities.cachingMode, (address, data) => memory.load32(address) === data)
  },
  // Linux sends the two in one batch and relies on it; nothing else is ordered before a wait (rule 11).
  ordered: (earlier, later) => earlier.kind === 'iotlb' && later.kind === 'device-tlb',
  hasDeviceTlb: (source) => endpoint(source).config.enabled.ats,
})

/** Adversarial mode over one unit. Made before the driver, it sees every store. */
export const createVtdAdversary = (machine: VtdMachine, options: AdversaryOptions = {}): Adversary =>
  createAdversary(machine, vendorOf(machine), options)
