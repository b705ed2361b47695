// What happens to a DMA: the one routine, with choices where hardware may have kept a copy. Long: both stages are one routine.
//
//   source ─▶ device directory ─▶ device context ┬─ PDTV=0 ───────────────────────────────────▶ first stage ─▶ second stage
//                                                └─ PDTV=1 ─▶ process directory ─▶ process context ──┘        or bare
//                                                             (PASID, or 0 where DPE says so)
//   Under a second stage the process directory and the first stage's tables lie at guest addresses.
import { encode } from '@iommu/bits'
import { deviceAnswer, fitsIn, frameAddress, frameIn, frameOf, isCanonical, passes, permissionsOf, recall, translatedTo } from '@iommu/hardware'
import type { DmaRequest, HardwareView, Outcome, PhysicalMemory, Step, Translated } from '@iommu/hardware'
import { LEAF, readLeaf, recallLeaf, riscvEntry, rootPointer, UNREADABLE, walkFrom } from '@iommu/page-table'
import { deviceSplit, faultCauses, splitLimit, widthOfLevels } from '../tables/index.js'
import type { Capabilities, DirectoryLevels } from '../tables/index.js'
import { firstStageTag, processKey } from './caches.js'
import type { Caches } from './caches.js'
import { fetchDevice, fetchProcess, Stopped } from './copies.js'
import type { DeviceContext, Directory, ProcessContext, Reader, Stage } from './copies.js'
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

/** Causes of an access, where a stage or memory refuses it. */
interface Causes {
  readonly first: number
  readonly second: number
  readonly memory: number
}
const EXECUTE: Causes = { first: 12, second: 20, memory: 1 }
const READ: Causes = { first: 13, second: 21, memory: 5 }
const WRITE: Causes = { first: 15, second: 23, memory: 7 }

export const causesOf = ({ access, execute }: Pick<DmaRequest, 'access' | 'execute'>): Causes =>
  (execute === true ? EXECUTE : access === 'write' ? WRITE : READ)

type Attributes = Translated['attributes']
/** By memory type, as PBMT says it. */
const attributes = (stage: string): readonly Attributes[] =>
  ['by address', 'non-cacheable', 'I/O'].map((memory) => Object.freeze({ stage, memory }))
const FIRST = attributes('first')
const SECOND = attributes('second')
const NESTED = attributes('nested')
const plain = (stage: string): Attributes => attributes(stage)[0] as Attributes
const BARE = plain('bare')
const ATS = plain('ats')

/** Attributes of an answer that comes from a device's own TLB: it keeps no memory type. */
export const inDevice = (): Attributes => ATS

/** Device ids below this have a place in a directory of so many levels. */
const DEVICE_LIMITS = [false, true].map((extended) => [0, 1, 2, 3].map((levels) => splitLimit(deviceSplit(extended, levels))))
const deviceLimit = ({ extended }: Capabilities, levels: DirectoryLevels): number => DEVICE_LIMITS[extended === true ? 1 : 0]?.[levels] as number

const readerOf = ({ memory, capabilities }: Hardware, steps: Step[] | undefined): Reader => ({ view: memory.walker, capabilities, steps })

/** Where a guest's address is, by a walk without caches. `implicit` are bits 1:0 of iotval2. */
export const locateBy = (hardware: Hardware, view: HardwareView, stage: Stage, causes: Causes): ((address: bigint) => bigint) => (address) => {
  const format = hardware.formats('second', stage.levels, stage.setsAccessed)
  const refused = new Stopped(causes.second, false, (address & ~0xfffn) | 1n)
  const frame = frameOf(address)
  if (!fitsIn(frame, widthOfLevels(stage.levels, true))) throw refused
  const leaf = walkFrom(plainKind, format, view, frame, rootPointer(format, stage.root))
  if (leaf.status === UNREADABLE) throw new Stopped(causes.memory)
  if (leaf.status !== LEAF || !leaf.user || !leaf.read) throw refused
  return frameAddress(frameIn(leaf.frame, leaf.pageShift, frame)) + (address & 0xfffn)
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

/** A device context, as it was kept or as it is. */
const deviceContext = (hardware: Hardware, source: number, levels: DirectoryLevels, sight: Sight): DeviceContext => {
  if (sight.supply !== undefined) return sight.supply.device(source)
  return recall(hardware.caches.devices, source, sight) ?? readDevice(hardware, source, levels, sight)
}

const readDevice = (hardware: Hardware, source: number, levels: DirectoryLevels, { steps, fills }: Sight): DeviceContext => {
  const read = fetchDevice(readerOf(hardware, steps), hardware.state.directory.root, levels, source)
  if (fills) hardware.caches.devices.keep(source, { source, pasid: 0 }, read)
  return read
}

/** A process context, as it was kept or as it is. */
const processContext = (hardware: Hardware, request: DmaRequest, from: DeviceContext, pasid: number, sight: Sight): ProcessContext => {
  const { source } = request
  if (sight.supply !== undefined) return sight.supply.process(source, from, pasid)
  return recall(hardware.caches.processes, processKey(source, pasid), sight) ?? readProcess(hardware, request, from, pasid, sight)
}

const readProcess = (hardware: Hardware, request: DmaRequest, from: DeviceContext, pasid: number, sight: Sight): ProcessContext => {
  const { source } = request
  const { second, processes, setsAccessed } = from
  const reader = readerOf(hardware, sight.steps)
  const read = fetchProcess(
    second === undefined ? reader : { ...reader, locate: locateBy(hardware, hardware.memory.walker, second, causesOf(request)) },
    processes as Directory, setsAccessed, pasid,
  )
  if (sight.fills) hardware.caches.processes.keep(processKey(source, pasid), { source, pasid }, read)
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

/** A leaf that was kept serves a write where D is set or has nothing to say: to set it hardware goes to memory. */
const servesWrite = ({ dirty, write }: Leaf): boolean => dirty === true || write !== true

/** Leaves of a stage, from caches, memory or a supply. `under`: the second stage that its tables lie under. */
const leafFor = (
  hardware: Hardware, request: DmaRequest, kind: 'first' | 'second', stage: Stage, under: Stage | undefined, address: bigint, frame: number,
  sight: Sight,
): Leaf => {
  const { access } = request
  if (sight.supply !== undefined) return sight.supply.leaf({ kind, stage, under, address, access })
  const { caches } = hardware
  const translations = kind === 'first' ? caches.firstStage : caches.secondStage
  const tag = kind === 'first' ? firstStageTag(under?.id, stage.id) : stage.id
  return recallLeaf(translations, tag, frame, sight, access === 'write' ? servesWrite : undefined)
    ?? lookForLeaf(hardware, request, kind, stage, under, tag, frame, sight)
}

const lookForLeaf = (
  hardware: Hardware, request: DmaRequest, kind: 'first' | 'second', stage: Stage, under: Stage | undefined, tag: number, frame: number,
  sight: Sight,
): Leaf => {
  const { caches, formats, memory: { walker } } = hardware
  const settles = sight.fills && stage.setsAccessed && under === undefined
  return readLeaf(settles ? walkKind(settle(hardware, request.access === 'write')) : plainKind, {
    translations: kind === 'first' ? caches.firstStage : caches.secondStage,
    tag,
    format: formats(kind, stage.levels, stage.setsAccessed),
    root: stage.root,
    view: under === undefined ? walker : guestView(walker, locateBy(hardware, walker, under, causesOf(request))),
    frame,
  }, sight)
}

const grants = ({ read, write, execute }: Leaf, { access, execute: executes }: DmaRequest): boolean =>
  (executes === true ? execute : access === 'write' ? write : read) === true

/** A translation request is told what there is. */
const serves = (leaf: Leaf, request: DmaRequest): boolean =>
  (request.kind === 'translate' ? leaf.read || leaf.write : grants(leaf, request))

/** A supervisor may touch users' pages where SUM says so, and never executes them. */
const servesSupervisor = ({ user }: Leaf, request: DmaRequest, who: ProcessContext | undefined): boolean =>
  !user || (who?.userPages === true && request.execute !== true)

/** A request without process id is a user's. */
const isSupervisor = ({ pasid, privileged }: DmaRequest): boolean => privileged === true && pasid !== undefined

/** Why a walk that found no leaf stops a request. */
const noLeaf = ({ status }: Leaf, request: DmaRequest, refusal: Stopped): Stopped =>
  (status === UNREADABLE ? new Stopped(causesOf(request).memory) : refusal)

const refusedByFirst = (request: DmaRequest): Stopped => new Stopped(causesOf(request).first)
const refusedBySecond = (request: DmaRequest, address: bigint): Stopped => new Stopped(causesOf(request).second, false, address & ~0xfffn)

/** What a first stage makes of the address of a request; throws Stopped. */
const firstStage = (
  hardware: Hardware, request: DmaRequest, frame: number, stage: Stage, under: Stage | undefined, who: ProcessContext | undefined, sight: Sight,
): Leaf => {
  if (!isCanonical(frame, widthOfLevels(stage.levels, false))) throw refusedByFirst(request)
  const leaf = leafFor(hardware, request, 'first', stage, under, request.address, frame, sight)
  if (leaf.status !== LEAF) throw noLeaf(leaf, request, refusedByFirst(request))
  const allowed = isSupervisor(request) ? servesSupervisor(leaf, request, who) : leaf.user
  if (allowed !== true || !serves(leaf, request)) throw refusedByFirst(request)
  return leaf
}

/** What a second stage makes of an address, every access of which is a user's; throws Stopped. */
const secondStage = (hardware: Hardware, request: DmaRequest, stage: Stage, address: bigint, frame: number, sight: Sight): Leaf => {
  if (!fitsIn(frame, widthOfLevels(stage.levels, true))) throw refusedBySecond(request, address)
  const leaf = leafFor(hardware, request, 'second', stage, undefined, address, frame, sight)
  if (leaf.status !== LEAF) throw noLeaf(leaf, request, refusedBySecond(request, address))
  if (leaf.user !== true || !serves(leaf, request)) throw refusedBySecond(request, address)
  return leaf
}

const answer = (
  { frame: first, pageShift, read, write, memory }: Leaf, frame: number, address: bigint, tag: string, of: readonly Attributes[],
): Translated =>
  translatedTo(frameIn(first, pageShift, frame), pageShift, address, permissionsOf(read, write), tag, of[memory] as Attributes)

/** A first stage whose addresses are a guest's, and the second stage under it. */
const nested = (
  hardware: Hardware, request: DmaRequest, frame: number, first: Stage, second: Stage, who: ProcessContext | undefined, sight: Sight,
): Translated => {
  const leaf = firstStage(hardware, request, frame, first, second, who, sight)
  const guest = frameIn(leaf.frame, leaf.pageShift, frame)
  const address = frameAddress(guest) + (request.address & 0xfffn)
  const outer = secondStage(hardware, request, second, address, guest, sight)
  const memory = leaf.memory === 0 ? outer.memory : leaf.memory
  return translatedTo(frameIn(outer.frame, outer.pageShift, guest), Math.min(leaf.pageShift, outer.pageShift), address,
    permissionsOf(leaf.read && outer.read, leaf.write && outer.write), `${second.tag} ${first.tag}`, NESTED[memory] as Attributes)
}

/** Both stages of a request whose contexts have been read. */
const stages = (
  hardware: Hardware, request: DmaRequest, first: Stage | 'bare', second: Stage | undefined, who: ProcessContext | undefined, sight: Sight,
): Translated => {
  const frame = frameOf(request.address)
  if (first === 'bare') return secondStageAlone(hardware, request, frame, second, sight)
  if (second !== undefined) return nested(hardware, request, frame, first, second, who, sight)
  return answer(firstStage(hardware, request, frame, first, undefined, who, sight), frame, request.address, first.tag, FIRST)
}

/** A second stage, or none. */
const secondStageAlone = (hardware: Hardware, request: DmaRequest, frame: number, second: Stage | undefined, sight: Sight): Translated => {
  const { address } = request
  if (second !== undefined) return answer(secondStage(hardware, request, second, address, frame, sight), frame, address, second.tag, SECOND)
  if (!fitsIn(frame, hardware.capabilities.physicalBits)) throw new Stopped(causesOf(request).memory)
  return passes(address, 'bare', BARE)
}

/** A process id must have a place in the directory. */
const checkPasid = ({ pasid }: DmaRequest, { processes, everyPasid }: DeviceContext): void => {
  if (pasid !== undefined && !everyPasid && (processes === undefined || pasid >= processes.limit)) throw new Stopped(260)
}

/** ATS traffic, where the device may have any. What ATS gave is used as it is, or it is a guest's address, and the second stage's. */
const atsRequest = (hardware: Hardware, request: DmaRequest, device: DeviceContext, sight: Sight): Translated | undefined => {
  if (request.kind === 'page-request' || !device.ats) throw new Stopped(260)
  checkPasid(request, device)
  if (request.kind !== 'translated') return undefined
  if (device.guestAts && device.second !== undefined) return stages(hardware, request, 'bare', device.second, undefined, sight)
  return passes(request.address, 'ats', ATS)
}

/** A request that has a process context: by its process id, or as process 0. */
const processRequest = (hardware: Hardware, request: DmaRequest, device: DeviceContext, sight: Sight): Translated => {
  checkPasid(request, device)
  const process = processContext(hardware, request, device, request.pasid ?? 0, sight)
  if (isSupervisor(request) && !process.supervisor) throw new Stopped(260)
  return stages(hardware, request, process.first, device.second, process, sight)
}

/** A request that has a device context, in the order of the specification's checks. */
const deviceRequest = (hardware: Hardware, request: DmaRequest, device: DeviceContext, sight: Sight): Translated => {
  const answered = request.kind === 'untranslated' ? undefined : atsRequest(hardware, request, device, sight)
  if (answered !== undefined) return answered
  const { first, second, everyPasid } = device
  if (first === undefined || (request.pasid !== undefined && everyPasid !== true)) return processRequest(hardware, request, device, sight)
  return stages(hardware, request, first, second, undefined, sight)
}

/** Without a directory the unit is off, or bare. */
const withoutDirectory = (mode: 'off' | 'bare', { kind, address }: DmaRequest): Translated => {
  if (mode === 'off') throw new Stopped(256)
  if (kind !== 'untranslated') throw new Stopped(260)
  return passes(address, 'unit bare', BARE)
}

const unitAnswer = (hardware: Hardware, request: DmaRequest, sight: Sight): Translated => {
  const { mode } = hardware.state.directory
  if (typeof mode === 'string') return withoutDirectory(mode, request)
  if (request.source >= deviceLimit(hardware.capabilities, mode)) throw new Stopped(260)
  const device = deviceContext(hardware, request.source, mode, sight)
  try {
    return deviceRequest(hardware, request, device, sight)
  } catch (error) {
    throw device.silent && error instanceof Stopped ? new Stopped(error.code, true, error.guest) : error
  }
}

/** Translation requests that end so are answered with "no access", and nobody is told. */
const UNTOLD: ReadonlySet<number> = new Set([12, 13, 15, 20, 21, 23, 262, 266])

const blocked = (request: DmaRequest, error: unknown, sight: Sight): Outcome => {
  if (!(error instanceof Stopped)) throw error
  const { code, silent } = error
  const cause = faultCauses.get(code)
  const recorded = !(request.kind === 'translate' && UNTOLD.has(code)) && !(silent && cause?.qualified === true)
  if (recorded) sight.log?.(request, error)
  return { result: 'blocked', fault: { code, name: cause?.meaning ?? 'unknown', recorded } }
}

/** The answer to a request, as the sight allows it to be given. */
export const translate = (hardware: Hardware, request: DmaRequest, sight: Sight): Outcome => {
  try {
    return deviceAnswer(hardware.caches.deviceTlbs, request, sight) ?? unitAnswer(hardware, request, sight)
  } catch (error) {
    return blocked(request, error, sight)
  }
}
