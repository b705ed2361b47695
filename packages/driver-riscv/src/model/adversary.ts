// The RISC-V side of adversarial mode: which contexts a request reads, under which tags, and the walks.
import { createAdversary, frameOf, framesAround, keyOf, stoppedBy, supplied } from '@iommu/hardware'
import type {
  Adversary, AdversaryOptions, Command, Fetch, Fetched, FetchOrder, HardwareEvent, Look, Reached, Vendor, Walked,
} from '@iommu/hardware'
import { LEAF, rootPointer, walkFrom } from '@iommu/page-table'
import type { TablePointer } from '@iommu/page-table'
import { OFFSETS } from '../tables/index.js'
import type { DirectoryLevels } from '../tables/index.js'
import { domainOfGscid } from './caches.js'
import { fetchDevice, fetchProcess, Stopped } from './copies.js'
import type { DeviceContext, ProcessContext, Reader, Stage } from './copies.js'
import { commandOf } from './drops.js'
import type { RiscvMachine } from './index.js'
import type { Asked, Supply } from './supply.js'
import { translate } from './translate.js'
import type { Hardware } from './translate.js'
import { plainKind } from './walks.js'
import type { Leaf } from './walks.js'

export interface RiscvAdversaryOptions extends AdversaryOptions {
  /** In which order hardware reads the words of a context; V first where absent. */
  readonly fetch?: FetchOrder
}

const { attempt, usable } = stoppedBy(Stopped)

const tableOf = (stage: Stage | 'bare' | undefined): readonly Stage[] => (stage === undefined || stage === 'bare' ? [] : [stage])

const SECOND_ROOT_FRAMES = 4

/** What a copy of a context is. Nothing that is not valid is kept, nor what is programmed wrongly. */
const copyOf = <C extends object>(
  value: C | Stopped, tag: { readonly cache: string; readonly source: number; readonly pasid: number }, domain: (copy: C) => number,
  names: (copy: C) => readonly number[],
): Fetched<C | Stopped> => {
  const stopped = value instanceof Stopped
  return {
    value, key: keyOf(value), keeps: !stopped,
    tag: { ...tag, absent: stopped, domain: stopped ? 0 : domain(value) },
    names: stopped ? [] : names(value),
  }
}

const deviceCopy = (source: number, value: DeviceContext | Stopped): Fetched<DeviceContext | Stopped> => copyOf(
  value, { cache: 'device', source, pasid: 0 },
  ({ first, second }) => (second !== undefined ? domainOfGscid(second.id) : tableOf(first)[0]?.id ?? 0),
  ({ first, second, processes }) => [
    ...tableOf(first).map(({ root }) => root),
    ...tableOf(second).flatMap(({ root }) => Array.from({ length: SECOND_ROOT_FRAMES }, (_, index) => root + index)),
    ...(processes === undefined ? [] : [frameOf(processes.root)]),
  ])

const processCopy = (source: number, pasid: number, value: ProcessContext | Stopped): Fetched<ProcessContext | Stopped> => copyOf(
  value, { cache: 'process', source, pasid }, ({ first }) => tableOf(first)[0]?.id ?? 0, ({ first }) => tableOf(first).map(({ root }) => root))

const walkOf = ({ formats }: Hardware, { kind, stage, address }: Asked): ((
  memory: Reader['view'], start: TablePointer | undefined, reach: (pointer: Reached<TablePointer>) => void,
) => Walked<Leaf>) => {
  const frame = frameOf(address)
  const format = formats(kind, stage.levels, stage.setsAccessed)
  return (view, start, reach) => {
    const leaf = walkFrom(plainKind, format, view, frame, start ?? rootPointer(format, stage.root), (pointer, covers) =>
      reach({ value: pointer, key: keyOf(pointer), page: pointer.frame, ...framesAround(frame, covers) }))
    return { value: leaf, key: keyOf(leaf), keeps: leaf.status === LEAF, ...framesAround(frame, leaf.status === LEAF ? leaf.pageShift : 12) }
  }
}

const nested = (): never => {
  throw new RangeError('translation by two stages is not in adversarial mode')
}

/** Copies and translations as the look gives them. */
const supplyOf = ({ state, ...hardware }: Hardware, look: Look<Leaf, TablePointer>, order: FetchOrder): Supply => {
  const { memory, capabilities } = hardware
  const reader = (fetch: Fetch): Reader => ({ view: memory.walker, capabilities, fetch, order })
  return {
    device: (source) => usable(look.entry({
      key: `device 0x${source.toString(16)}`,
      place: state.directory.root,
      fetch: (read, root) => deviceCopy(source, attempt(() => fetchDevice(reader(read), root, state.directory.mode as DirectoryLevels, source))),
    })),
    process(source, { processes, second, setsAccessed }, pasid) {
      if (processes === undefined || second !== undefined) return nested()
      return usable(look.entry({
        key: `process 0x${source.toString(16)}/${pasid}`,
        place: processes.root,
        fetch: (read, root) => processCopy(source, pasid, attempt(() =>
          fetchProcess(reader(read), { ...processes, root }, setsAccessed, pasid))),
      }))
    },
    leaf(asked) {
      const { kind, stage, under, address } = asked
      if (under !== undefined) return nested()
      return look.translation({
        // No tag holds the device: all devices of a unit share what is cached under an identifier.
        tag: { space: kind, domain: kind === 'first' ? stage.id : domainOfGscid(stage.id), pasid: 0 },
        frame: frameOf(address),
        from: `${kind} ${stage.levels} ${stage.root}`,
        walk: walkOf({ state, ...hardware }, asked),
      })
    },
  }
}

/** The write that changes which directory is read, or whether. Caches outlive it. */
const registerCommand = (offset: number): Command | undefined =>
  (offset === OFFSETS.ddtp ? { text: 'ddtp', kind: 'register', completes: false, fences: false } : undefined)

const vendorOf = ({ hardware, endpoint }: RiscvMachine, order: FetchOrder): Vendor<Leaf, TablePointer> => ({
  translate: (request, look) =>
    translate(hardware, request, supplied(supplyOf(hardware, look, order))),
  settings: () => Object.values(hardware.state),
  command(event: HardwareEvent) {
    if (event.kind === 'register') return registerCommand(event.offset)
    return event.kind === 'command' ? commandOf(event) : undefined
  },
  // Commands may be executed out of order; only a fence says that they are complete.
  ordered: () => false,
  hasDeviceTlb: (source) => endpoint(source).config.enabled.ats,
})

/** Adversarial mode over one unit. Made before the driver, it sees every store. Stores are late: RISC-V orders only what fences order. */
export const createRiscvAdversary = (machine: RiscvMachine, { fetch = 'present-first', ...options }: RiscvAdversaryOptions = {}): Adversary =>
  createAdversary(machine, vendorOf(machine, fetch), { stores: 'order', ...options })
