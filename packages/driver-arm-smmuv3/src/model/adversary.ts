// The SMMU's side of adversarial mode: which entries a request reads, under which tags, and the walks.
import { createAdversary, frameOf, framesAround, keyOf, stoppedBy, supplied } from '@iommu/hardware'
import type { Adversary, AdversaryOptions, EntryTag, Fetch, Fetched, HardwareEvent, Look, Reached, Vendor, Walked } from '@iommu/hardware'
import { LEAF, rootPointer, walkFrom } from '@iommu/page-table'
import type { Format, TablePointer } from '@iommu/page-table'
import {
  contextAddress, fetchContext, fetchLevelOneContext, fetchLevelOneStream, fetchStream, Stopped, streamAddress,
} from './copies.js'
import type { ContextCopy, Reader, StageOne, StreamCopy } from './copies.js'
import { commandOf, SPACES } from './drops.js'
import type { SmmuMachine } from './index.js'
import type { Asked, Supply, Translation } from './supply.js'
import { translate } from './translate.js'
import type { Hardware } from './translate.js'
import { smmuWalk } from './walks.js'

const { attempt, usable } = stoppedBy(Stopped)

const formatKey = ({ name, inputBits, levels, granuleShift, addressBits }: Format): string =>
  `${name} ${inputBits} ${levels} ${granuleShift} ${addressBits}`

const copyKey = (copy: object): string => keyOf(copy, (name, member) => (name === 'format' ? formatKey(member as Format) : member))

/** Frames that a stream's CD table takes; of a 2-level table those of level 1. */
const contextFrames = ({ contexts, max, leafBits }: StageOne): number[] => {
  const bytes = leafBits === 0 ? 2 ** max * 64 : 2 ** (max - leafBits) * 8
  return Array.from({ length: Math.max(1, bytes / 4096) }, (_, index) => frameOf(contexts) + index)
}

const streamNames = (copy: StreamCopy | Stopped): number[] => {
  if (copy instanceof Stopped) return []
  if (copy.kind === 'stage 2') return Array.from({ length: rootFrames(copy.format) }, (_, index) => copy.root + index)
  return copy.kind === 'stage 1' ? contextFrames(copy) : []
}

/** Frames of a root table, or of the tables side by side that are one. */
const rootFrames = ({ rootBits }: { readonly rootBits: number }): number => Math.max(1, (2 ** rootBits * 8) / 4096)

/** Copies of entries that are invalid or illegal are kept like others (rule 6). */
const copied = <T extends object>(
  tag: Pick<EntryTag, 'cache' | 'source' | 'pasid'>, value: T | Stopped, domain: number, names: readonly number[],
): Fetched<T | Stopped> => ({
  value, key: value instanceof Stopped ? `stopped ${value.event ?? ''}` : copyKey(value), keeps: true, names,
  tag: { ...tag, domain, absent: value instanceof Stopped },
})

const walkOf = ({ format, root, address, attributes }: Asked) =>
  (memory: Reader['view'], start: TablePointer | undefined, reach: (pointer: Reached<TablePointer>) => void): Walked<Translation> => {
    const frame = frameOf(address)
    const leaf = walkFrom(smmuWalk, format, memory, frame, start ?? rootPointer(format, root), (pointer, covers) =>
      reach({ value: pointer, key: keyOf(pointer), page: pointer.frame, ...framesAround(frame, covers) }))
    // That nothing is mapped is never kept.
    const keeps = leaf.status === LEAF
    return { value: { leaf, attributes }, key: `${keyOf(leaf)} ${attributes}`, keeps, ...framesAround(frame, keeps ? leaf.pageShift : 12) }
  }

/** Copies and translations as the look gives them. */
const supplyOf = (hardware: Hardware, look: Look<Translation, TablePointer>): Supply => {
  const { memory, capabilities, formats, state } = hardware
  const reader = (fetch: Fetch): Reader => ({ view: memory.walker, capabilities, formats, fetch })
  return {
    stream: (source) => usable(look.entry({
      key: `ste 0x${source.toString(16)}`,
      place: state.streamTable.base,
      fetch(read, base) {
        const table = { ...state.streamTable, base }
        const below = (): ReturnType<typeof fetchLevelOneStream> => fetchLevelOneStream(reader(read), table, source)
        const value = attempt(() => fetchStream(reader(read), streamAddress(table, source, below)))
        const vmid = !(value instanceof Stopped) && 'vmid' in value ? value.vmid : 0
        return copied({ cache: 'ste', source, pasid: 0 }, value, vmid, streamNames(value))
      },
    })),
    context: (source, stream, pasid): ContextCopy => usable(look.entry({
      key: `cd 0x${source.toString(16)}/${pasid} ${stream.leafBits}`,
      place: stream.contexts,
      fetch(read, contexts) {
        const from = { ...stream, contexts }
        const below = (): ReturnType<typeof fetchLevelOneContext> => fetchLevelOneContext(reader(read), from, pasid)
        const value = attempt(() => fetchContext(reader(read), from, contextAddress(from, pasid, below), pasid))
        const names = value instanceof Stopped ? [] : [value.low, value.high].flatMap((tables) => (tables === undefined ? [] : [tables.root]))
        return copied({ cache: 'cd', source, pasid }, value, value instanceof Stopped ? 0 : value.asid, names)
      },
    })),
    leaf: (asked) => look.translation({
      tag: asked.stage === 1
        ? { space: SPACES.stage1, domain: asked.asid, pasid: asked.vmid }
        : { space: SPACES.stage2, domain: asked.vmid, pasid: 0 },
      frame: frameOf(asked.address),
      from: `${formatKey(asked.format)} ${asked.root} ${asked.attributes}`,
      walk: walkOf(asked),
    }),
  }
}

const vendorOf = ({ hardware, endpoint }: SmmuMachine): Vendor<Translation, TablePointer> => ({
  translate: (request, look) => translate(hardware, request, supplied(supplyOf(hardware, look))),
  settings: () => Object.values(hardware.state),
  command: (event: HardwareEvent) => (event.kind === 'command' ? commandOf(event) : undefined),
  // Nothing but a SYNC orders two commands.
  ordered: () => false,
  hasDeviceTlb: (source) => endpoint(source).config.enabled.ats,
})

/** Adversarial mode over one SMMU. Made before the driver, it sees every store, which an Arm CPU may make late. */
export const createSmmuAdversary = (machine: SmmuMachine, options: AdversaryOptions = {}): Adversary =>
  createAdversary(machine, vendorOf(machine), { stores: machine.memory.coherent ? 'order' : 'write-back', ...options })
