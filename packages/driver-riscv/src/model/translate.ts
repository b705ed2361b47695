// What happens to a DMA: the one routine, with choices where hardware may have kept a copy.
//
//   source ─▶ device directory ─▶ device context ┬─ PDTV=0 ───────────────────────────────────▶ first stage ─▶ second stage
//                                                └─ PDTV=1 ─▶ process directory ─▶ process context ──┘        or bare
//                                                             (PASID, or 0 where DPE says so)
//   Under a second stage the process directory and the first stage's tables lie at guest addresses.
import { encode } from '@iommu/bits'
import { frameAddress, frameOf } from '@iommu/hardware'
import type { Choose, DmaRequest, HardwareView, Outcome, PhysicalMemory, Step, Translated } from '@iommu/hardware'
import { LEAF, lookupLeaf, riscvEntry, rootPointer, UNREADABLE, walkFrom } from '@iommu/page-table'
import { deviceSplit, faultCauses, processSplit, splitLimit, widthOfLevels } from '../tables/index.js'
import type { Capabilities, DirectoryLevels } from '../tables/index.js'
import { firstStageTag, processKey } from './caches.js'
import type { Caches } from './caches.js'
import { fetchDevice, fetchProcess, Stopped } from './copies.js'
import type { DeviceContext, ProcessContext, Reader, Stage } from './copies.js'
import type { Formats } from './formats.js'
import { plainKind, walkKind } from './walks.js'
import type { Leaf, Sight } from './walks.js'

/** Whether there is a directory, and where. */
export interface DirectoryState {
  readonly mode: 'off' | 'bare' | DirectoryLevels
  readonly root: bigint
}

/** What the routine reads. */
export interface Hardware {
  readonly memory: Pick<PhysicalMemory, 'walker' | 'deviceStore64'>
  readonly state: { readonly directory: DirectoryState }
  readonly caches: Caches
  readonly capabilities: Capabilities
  readonly formats: Formats
}

type Attributes = Translated['attributes']
/** A request by itself: what its access is called, and the cause where a stage or memory refuses it. */
interface Access {
  readonly request: DmaRequest
  readonly first: number
  readonly second: number
  readonly memory: number
}

export const accessOf = (request: DmaRequest): Access => {
  const { access, execute } = request
  if (execute === true) return { request, first: 12, second: 20, memory: 1 }
  return access === 'write' ? { request, first: 15, second: 23, memory: 7 } : { request, first: 13, second: 21, memory: 5 }
}

const MEMORY_TYPES = ['by address', 'non-cacheable', 'I/O'] as const

const passes = (address: bigint, tag: string, attributes: Attributes): Translated =>
  ({ result: 'translated', address, tag, attributes, permissions: { read: true, write: true }, pageSize: 4096n })

const readerOf = ({ memory, capabilities }: Hardware, steps: Step[] | undefined): Reader => ({ view: memory.walker, capabilities, steps })

/** Where a guest's address is, by a walk without caches. `implicit` are bits 1:0 of iotval2. */
export const locateBy = (hardware: Hardware, view: HardwareView, stage: Stage, access: Access): ((address: bigint) => bigint) => (address) => {
  const format = hardware.formats('second', stage.levels, stage.setsAccessed)
  const refused = new Stopped(access.second, false, (address & ~0xfffn) | 1n)
  if (address >> BigInt(widthOfLevels(stage.levels, true)) !== 0n) throw refused
  const leaf = walkFrom(plainKind, format, view, address, rootPointer(format, stage.root))
  if (leaf.status === UNREADABLE) throw new Stopped(access.memory)
  if (leaf.status !== LEAF || !leaf.user || !leaf.read) throw refused
  return frameAddress(leaf.frame) + (address & ((1n << BigInt(leaf.pageShift)) - 1n))
}

/** Memory as a first stage under a second one reads it. */
const guestView = (view: HardwareView, locate: (address: bigint) => bigint): HardwareView => {
  const guest = {
    low: 0,
    high: 0,
    has: (frame: number) => view.has(frameOf(locate(frameAddress(frame)))),
    load64: (address: bigint) => view.load64(locate(address)),
    loadPair(frame: number, index: number) {
      view.loadPair(frameOf(locate(frameAddress(frame))), index)
      guest.low = view.low
      guest.high = view.high
    },
  }
  return guest
}

/** Reads a device context, or takes the kept copy. */
const deviceContext = (hardware: Hardware, source: number, levels: DirectoryLevels, sight: Sight): DeviceContext => {
  if (sight.supply !== undefined) return sight.supply.device(source)
  const { caches: { devices }, state } = hardware
  const kept = sight.cached ? devices.get(source) : undefined
  if (kept !== undefined && sight.choose(2) === 0) return kept.copy
  const read = fetchDevice(readerOf(hardware, sight.steps), state.directory.root, levels, source)
  if (sight.fills) devices.keep(source, { source, pasid: 0 }, read)
  return read
}

/** Reads a process context, or takes the kept copy. */
const processContext = (hardware: Hardware, access: Access, from: DeviceContext, pasid: number, sight: Sight): ProcessContext => {
  const { request: { source } } = access
  if (sight.supply !== undefined) return sight.supply.process(source, from, pasid)
  const { caches: { processes }, memory } = hardware
  const key = processKey(source, pasid)
  const kept = sight.cached ? processes.get(key) : undefined
  if (kept !== undefined && sight.choose(2) === 0) return kept.copy
  const reader = readerOf(hardware, sight.steps)
  const { second } = from
  const read = fetchProcess(
    second === undefined ? reader : { ...reader, locate: locateBy(hardware, memory.walker, second, access) },
    from.processes as NonNullable<DeviceContext['processes']>, from.setsAccessed, pasid,
  )
  if (sight.fills) processes.keep(key, { source, pasid }, read)
  return read
}

/** Sets A and D in memory, as far as the access and the leaf ask for it. */
const settle = (hardware: Hardware, write: boolean) => (place: bigint, leaf: Leaf): Leaf => {
  const dirty = write && leaf.write
  const word = hardware.memory.walker.load64(place)
  const [next] = encode(riscvEntry, { A: 1, ...(dirty ? { D: 1 } : {}) }, [word])
  if (next !== word) hardware.memory.deviceStore64(place, next as bigint)
  return { ...leaf, dirty: leaf.dirty || dirty }
}

/** Leaves of a stage, from caches, memory or a supply. `under`: the second stage that its tables lie under. */
const leafFor = (hardware: Hardware, kind: 'first' | 'second', stage: Stage, under: Stage | undefined, address: bigint, access: Access, sight: Sight): Leaf => {
  const { request } = access
  if (sight.supply !== undefined) return sight.supply.leaf({ kind, stage, under, address, access: request.access })
  const { caches, formats, memory } = hardware
  const first = kind === 'first'
  const write = request.access === 'write'
  const settles = sight.fills && stage.setsAccessed && under === undefined
  return lookupLeaf(settles ? walkKind(settle(hardware, write)) : plainKind, {
    translations: first ? caches.firstStage : caches.secondStage,
    tag: first ? firstStageTag(under?.id, stage.id) : stage.id,
    format: formats(kind, stage.levels, stage.setsAccessed),
    root: stage.root,
    view: under === undefined ? memory.walker : guestView(memory.walker, locateBy(hardware, memory.walker, under, access)),
    address,
    // To set D hardware goes to memory.
    serves: (kept) => kept.dirty || !write || !kept.write,
  }, sight)
}

/** Whether bits above the table's width repeat the highest one inside. */
const isCanonical = (address: bigint, bits: number): boolean => {
  const top = BigInt.asIntN(64, address) >> BigInt(bits - 1)
  return top === 0n || top === -1n
}

const grants = ({ read, write, execute }: Leaf, { access, execute: executes }: DmaRequest): boolean =>
  (executes === true ? execute : access === 'write' ? write : read)

/** The address that a first stage makes of one; throws Stopped. */
const firstStage = (
  hardware: Hardware, access: Access, stage: Stage, under: Stage | undefined, who: ProcessContext | undefined, sight: Sight,
): Leaf => {
  const { request } = access
  if (!isCanonical(request.address, widthOfLevels(stage.levels, false))) throw new Stopped(access.first)
  const leaf = leafFor(hardware, 'first', stage, under, request.address, access, sight)
  if (leaf.status === UNREADABLE) throw new Stopped(access.memory)
  if (leaf.status !== LEAF) throw new Stopped(access.first)
  // A request without process id is a user's. A supervisor may touch users' pages where SUM says so, and never executes them.
  const supervisor = request.pasid !== undefined && request.privileged === true
  const allowed = supervisor ? !leaf.user || (who?.userPages === true && request.execute !== true) : leaf.user
  const granted = request.kind === 'translate' ? leaf.read || leaf.write : grants(leaf, request)
  if (!allowed || !granted) throw new Stopped(access.first)
  return leaf
}

const secondStage = (hardware: Hardware, access: Access, stage: Stage, address: bigint, sight: Sight): Leaf => {
  const refused = new Stopped(access.second, false, address & ~0xfffn)
  if (address >> BigInt(widthOfLevels(stage.levels, true)) !== 0n) throw refused
  const leaf = leafFor(hardware, 'second', stage, undefined, address, access, sight)
  if (leaf.status === UNREADABLE) throw new Stopped(access.memory)
  // Every access of the second stage is a user's.
  const granted = access.request.kind === 'translate' ? leaf.read || leaf.write : grants(leaf, access.request)
  if (leaf.status !== LEAF || !leaf.user || !granted) throw refused
  return leaf
}

const inside = (leaf: Leaf, address: bigint): bigint => frameAddress(leaf.frame) + (address & ((1n << BigInt(leaf.pageShift)) - 1n))
const sizeOf = (leaf: Leaf): bigint => 1n << BigInt(leaf.pageShift)

const answer = (leaf: Leaf, address: bigint, tag: string, stage: string): Translated => ({
  result: 'translated',
  address: inside(leaf, address),
  tag,
  attributes: { stage, memory: MEMORY_TYPES[leaf.memory] ?? 'unknown' },
  permissions: { read: leaf.read, write: leaf.write },
  pageSize: sizeOf(leaf),
})

/** Both stages of a request whose contexts have been read. */
const stages = (
  hardware: Hardware, access: Access, first: Stage | 'bare', second: Stage | undefined, who: ProcessContext | undefined, sight: Sight,
): Translated => {
  const { request: { address } } = access
  if (first === 'bare' && second === undefined) {
    if (address >> BigInt(hardware.capabilities.physicalBits) !== 0n) throw new Stopped(access.memory)
    return passes(address, 'bare', { stage: 'bare', memory: MEMORY_TYPES[0] })
  }
  if (first === 'bare') {
    const stage = second as Stage
    return answer(secondStage(hardware, access, stage, address, sight), address, `GSCID ${stage.id}`, 'second')
  }
  const leaf = firstStage(hardware, access, first, second, who, sight)
  if (second === undefined) return answer(leaf, address, `PSCID ${first.id}`, 'first')
  const guest = inside(leaf, address)
  const outer = secondStage(hardware, access, second, guest, sight)
  const smaller = sizeOf(leaf) < sizeOf(outer) ? leaf : outer
  const whole = answer(outer, guest, `GSCID ${second.id} PSCID ${first.id}`, 'nested')
  return {
    ...whole,
    attributes: { ...whole.attributes, memory: MEMORY_TYPES[leaf.memory === 0 ? outer.memory : leaf.memory] ?? 'unknown' },
    permissions: { read: leaf.read && outer.read, write: leaf.write && outer.write },
    pageSize: sizeOf(smaller),
  }
}

/** A request that has a device context, in the order of the specification's checks. */
const deviceRequest = (hardware: Hardware, access: Access, device: DeviceContext, sight: Sight): Translated => {
  const { request } = access
  const { pasid, kind } = request
  if (kind === 'page-request' || (kind !== 'untranslated' && !device.ats)) throw new Stopped(260)
  const { processes, second } = device
  if (pasid !== undefined && (processes === undefined || pasid >= splitLimit(processSplit(processes.levels)))) throw new Stopped(260)
  if (kind === 'translated') {
    // What ATS gave is used as it is; or it is a guest's address, and the second stage's.
    if (device.guestAts && second !== undefined) return stages(hardware, access, 'bare', second, undefined, sight)
    return passes(request.address, 'ats', { stage: 'ats', memory: MEMORY_TYPES[0] })
  }
  if (pasid === undefined && device.first !== undefined) return stages(hardware, access, device.first, second, undefined, sight)
  const process = processContext(hardware, access, device, pasid ?? 0, sight)
  if (pasid !== undefined && request.privileged === true && !process.supervisor) throw new Stopped(260)
  return stages(hardware, access, process.first, second, process, sight)
}

const unitAnswer = (hardware: Hardware, request: DmaRequest, sight: Sight): Translated => {
  const { capabilities, state: { directory: { mode } } } = hardware
  if (mode === 'off') throw new Stopped(256)
  if (mode === 'bare') {
    if (request.kind !== 'untranslated') throw new Stopped(260)
    return passes(request.address, 'unit bare', { stage: 'bare', memory: MEMORY_TYPES[0] })
  }
  if (request.source >= splitLimit(deviceSplit(capabilities.extended, mode))) throw new Stopped(260)
  const device = deviceContext(hardware, request.source, mode, sight)
  try {
    return deviceRequest(hardware, accessOf(request), device, sight)
  } catch (error) {
    if (device.silent && error instanceof Stopped) throw new Stopped(error.code, true, error.guest)
    throw error
  }
}

/** Translation requests that end so are answered with "no access", and nobody is told. */
const UNTOLD: ReadonlySet<number> = new Set([12, 13, 15, 20, 21, 23, 262, 266])

const blocked = (request: DmaRequest, { code, silent }: Stopped): Outcome => {
  const cause = faultCauses.get(code)
  return {
    result: 'blocked',
    fault: {
      code,
      name: cause?.meaning ?? 'unknown',
      recorded: !(request.kind === 'translate' && UNTOLD.has(code)) && !(silent && cause?.qualified === true),
    },
  }
}

/** What the device's own TLB says to a translation request, where it has kept something. */
const deviceAnswer = ({ caches }: Hardware, request: DmaRequest, { cached, choose }: Sight): Translated | undefined => {
  if (request.kind !== 'translate' || !cached) return undefined
  const kept = caches.deviceTlbs.get(request.source)?.lookup(request.pasid ?? 0, Number(request.address >> 12n))
  if (kept === undefined || choose(2) === 1) return undefined
  return answer(kept, request.address, 'device TLB', 'ats')
}

/** The answer to a request, as the sight allows it to be given, and what iotval2 of a record would say. */
export const translate = (hardware: Hardware, request: DmaRequest, sight: Sight): { readonly outcome: Outcome; readonly guest: bigint } => {
  const device = deviceAnswer(hardware, request, sight)
  if (device !== undefined) return { outcome: device, guest: 0n }
  try {
    return { outcome: unitAnswer(hardware, request, sight), guest: 0n }
  } catch (error) {
    if (!(error instanceof Stopped)) throw error
    return { outcome: blocked(request, error), guest: error.guest }
  }
}

/** Caches looked into, and left as they are. */
export const exploring = (choose: Choose): Sight => ({ choose, cached: true, fills: false })
