// Copies: what hardware makes of a device context or process context when it fetches one through its directory.
import { breaksReserved, decode, usedMask, wordCount } from '@iommu/bits'
import type { Entry } from '@iommu/bits'
import { frameOf, loadWords } from '@iommu/hardware'
import type { Fetch, FetchOrder, HardwareView, Shape, Step } from '@iommu/hardware'
import {
  baseDeviceContext, deviceContext, deviceDirectoryEntry, deviceSplit, indexes, levelsOfMode, processContext,
  processDirectoryEntry, processSplit, splitLimit,
} from '../tables/index.js'
import type { Capabilities, DirectoryLevels, Levels } from '../tables/index.js'

/** A stage of translation as a context names it. */
export interface Stage {
  readonly levels: Levels
  /** Frame of the root table: a guest's own where there is a second stage too. */
  readonly root: number
  /** PSCID, or GSCID of a second stage. */
  readonly id: number
  /** The same as outcomes spell it. */
  readonly tag: string
  /** Hardware sets A and D. */
  readonly setsAccessed: boolean
}

/** Where a device's process contexts are. */
export interface Directory {
  readonly levels: DirectoryLevels
  readonly root: bigint
  /** Process ids below this have a place in it. */
  readonly limit: number
}

/** What a device context says. */
export interface DeviceContext {
  /** DTF. */
  readonly silent: boolean
  readonly ats: boolean
  /** ATS answers and translated requests are guest addresses. */
  readonly guestAts: boolean
  /** Process contexts; then `first` is for requests without process id, and undefined: they are process 0's. */
  readonly processes: Directory | undefined
  /** PDTV with a directory of mode Bare: a request with a PASID is as one without. */
  readonly everyPasid: boolean
  readonly first: Stage | 'bare' | undefined
  readonly second: Stage | undefined
  /** SADE, for process contexts too. */
  readonly setsAccessed: boolean
}

/** What a process context says. */
export interface ProcessContext {
  /** Supervisor requests are allowed, and what they may do with users' pages. */
  readonly supervisor: boolean
  readonly userPages: boolean
  readonly first: Stage | 'bare'
}

/** A DMA that stops, with the cause. `silent`: DTF asked for no record of qualified faults. */
export class Stopped {
  readonly code: number
  readonly silent: boolean
  /** What iotval2 says: the guest address, with bits 1:0 about an implicit access. */
  readonly guest: bigint
  constructor(code: number, silent = false, guest = 0n) {
    this.code = code
    this.silent = silent
    this.guest = guest
  }
}

/** What reading needs to know of the unit. */
export interface Reader {
  readonly view: HardwareView
  readonly capabilities: Capabilities
  readonly steps?: Step[] | undefined
  /** Reads entries word by word, as hardware may piece them together; from the view at once where absent. */
  readonly fetch?: Fetch | undefined
  /** In which order hardware reads the words of a context; V first where absent. */
  readonly order?: FetchOrder | undefined
  /** Where a guest's address really is, for process directories under a second stage. Throws Stopped. */
  readonly locate?: ((address: bigint) => bigint) | undefined
}

/**
 * How hardware reads a context: 8 bytes at a time. The specification lets it read the words in any order, and says that
 * nothing has to be invalidated when V goes from 0 to 1, which is right only if V is read first.
 */
const shapeOf = (layout: Entry, order: FetchOrder): Shape => ({ bytes: layout.bits / 8, atomBytes: 8, order })

const isReadable = ({ view, capabilities }: Reader, address: bigint): boolean =>
  address >> BigInt(capabilities.physicalBits) === 0n && view.has(frameOf(address))

/** V, in word 0 of every entry. */
const [VALID] = usedMask(processContext, ['V']) as [bigint]

/** Words of an entry; of one that is not valid only the first: nothing else matters, and what is not read cannot differ. */
const load = (reader: Reader, layout: Entry, address: bigint, unreadable: number): bigint[] => {
  if (!isReadable(reader, address)) throw new Stopped(unreadable)
  const count = wordCount(layout)
  if (reader.fetch === undefined) return loadWords(reader.view, address, count)
  const word = reader.fetch(address, shapeOf(layout, reader.order ?? 'present-first'))
  const head = word(0)
  return Array.from({ length: count }, (_, index) => (index === 0 ? head : (head & VALID) === VALID ? word(index) : 0n))
}

const hex = (value: number | bigint): string => `0x${value.toString(16)}`

const note = (reader: Reader, layout: Entry, address: bigint, words: readonly bigint[], said: string): void => {
  reader.steps?.push({ entry: layout.name, address, words, note: said })
}

/** Causes of one kind of directory. */
interface Causes {
  readonly unreadable: number
  readonly invalid: number
  readonly wrong: number
}
const DEVICE: Causes = { unreadable: 257, invalid: 258, wrong: 259 }
const PROCESS: Causes = { unreadable: 265, invalid: 266, wrong: 267 }

const here = (address: bigint): bigint => address

/** Goes down a directory to the table of contexts. */
const contextTable = (
  reader: Reader, layout: typeof deviceDirectoryEntry | typeof processDirectoryEntry, root: bigint, path: readonly number[], causes: Causes,
): bigint => {
  const { locate = here } = reader
  let table = root
  for (const index of path) {
    const address = locate(table + BigInt(index * 8))
    const words = load(reader, layout, address, causes.unreadable)
    const { V, PPN } = decode(layout, words)
    note(reader, layout, address, words, V === 1 ? `next level at ${hex(PPN)}` : 'not valid')
    if (V === 0) throw new Stopped(causes.invalid)
    if (breaksReserved(layout, words)) throw new Stopped(causes.wrong)
    table = PPN
  }
  return table
}

type IdName = 'PSCID' | 'GSCID'

const stageOf = (
  mode: number, allowed: readonly Levels[], root: bigint, name: IdName, id: number, setsAccessed: boolean,
): Stage | undefined => {
  const levels = levelsOfMode(mode)
  return levels !== undefined && allowed.includes(levels) ? { levels, root: frameOf(root), id, tag: `${name} ${id}`, setsAccessed } : undefined
}

const describeStage = (stage: Stage | 'bare', which: 'first' | 'second'): string =>
  (stage === 'bare' ? 'bare' : `${which} stage at ${hex(BigInt(stage.root) << 12n)}, ${stage.levels}-level, ${stage.tag}`)

/** Fetches a device context. Throws Stopped with the cause. */
export const fetchDevice = (reader: Reader, root: bigint, levels: DirectoryLevels, source: number): DeviceContext => {
  const { capabilities } = reader
  const { extended } = capabilities
  const path = indexes(deviceSplit(extended, levels), source)
  const table = contextTable(reader, deviceDirectoryEntry, root, path.slice(0, -1), DEVICE)
  const layout = extended ? deviceContext : baseDeviceContext
  const address = table + BigInt((path.at(-1) as number) * (layout.bits / 8))
  const words = load(reader, layout, address, DEVICE.unreadable)
  const e = decode(baseDeviceContext, words.slice(0, 4))
  if (e.V === 0) {
    note(reader, layout, address, words, 'not valid')
    throw new Stopped(DEVICE.invalid)
  }
  const guests = extended ? decode(deviceContext, words) : undefined
  const wrong = breaksReserved(layout, words)
    || ((e.EN_ATS === 1 || e.EN_PRI === 1 || e.PRPR === 1) && !capabilities.ats)
    || ((e.T2GPA === 1 || e.EN_PRI === 1) && e.EN_ATS === 0)
    || (e.PRPR === 1 && e.EN_PRI === 0)
    || (e.T2GPA === 1 && (!capabilities.guestAts || e.IOHGATP_MODE === 0))
    || ((e.SADE === 1 || e.GADE === 1) && !capabilities.accessedDirty)
    || (e.DPE === 1 && e.PDTV === 0)
    // Big-endian tables and 32-bit first stages are not modelled: the profile has neither.
    || e.SBE === 1 || e.SXL === 1
    || ((e.RCID !== 0 || e.MCID !== 0) && !capabilities.qualityOfService)
    || (e.IOHGATP_PPN & 0x3fffn) !== 0n
    || (guests !== undefined && (guests.MSIPTP_MODE > 1 || (guests.MSIPTP_MODE === 1 && e.IOHGATP_MODE === 0)))
  const second = e.IOHGATP_MODE === 0 ? undefined
    : stageOf(e.IOHGATP_MODE, capabilities.secondStageLevels, e.IOHGATP_PPN, 'GSCID', e.GSCID, e.GADE === 1)
  const table1 = e.PDTV === 1 || e.FSC_MODE === 0 ? undefined
    : stageOf(e.FSC_MODE, capabilities.firstStageLevels, e.FSC_PPN, 'PSCID', e.PSCID, e.SADE === 1)
  const levelsOfDirectory = capabilities.processLevels.find((each) => each === e.FSC_MODE)
  const processes = e.PDTV === 1 && levelsOfDirectory !== undefined
    ? { levels: levelsOfDirectory, root: e.FSC_PPN, limit: splitLimit(processSplit(levelsOfDirectory)) } : undefined
  const unknown = (e.IOHGATP_MODE !== 0 && second === undefined)
    || (e.FSC_MODE !== 0 && (e.PDTV === 1 ? processes === undefined : table1 === undefined))
  note(reader, layout, address, words, wrong || unknown ? 'programmed wrongly'
    : [
        ...(processes !== undefined ? [`process directory at ${hex(processes.root)}, ${processes.levels}-level`] : [describeStage(table1 ?? 'bare', 'first')]),
        ...(second === undefined ? [] : [describeStage(second, 'second')]),
      ].join('; '))
  if (wrong || unknown) throw new Stopped(DEVICE.wrong)
  if (guests?.MSIPTP_MODE === 1) throw new RangeError('the interrupts of guests (MSI page tables) are not modelled')
  return {
    silent: e.DTF === 1,
    ats: e.EN_ATS === 1,
    guestAts: e.T2GPA === 1,
    processes,
    everyPasid: e.PDTV === 1 && e.FSC_MODE === 0,
    first: e.PDTV === 1 && e.DPE === 1 && processes !== undefined ? undefined : table1 ?? 'bare',
    second,
    setsAccessed: e.SADE === 1,
  }
}

/** Fetches a process context through its directory. Throws Stopped with the cause. */
export const fetchProcess = (reader: Reader, { levels, root }: Pick<Directory, 'levels' | 'root'>, setsAccessed: boolean, pasid: number): ProcessContext => {
  const { capabilities, locate = here } = reader
  const path = indexes(processSplit(levels), pasid)
  const table = contextTable(reader, processDirectoryEntry, root, path.slice(0, -1), PROCESS)
  const address = locate(table + BigInt((path.at(-1) as number) * (processContext.bits / 8)))
  const words = load(reader, processContext, address, PROCESS.unreadable)
  const e = decode(processContext, words)
  const stage = stageOf(e.FSC_MODE, capabilities.firstStageLevels, e.FSC_PPN, 'PSCID', e.PSCID, setsAccessed)
  const wrong = breaksReserved(processContext, words) || (e.FSC_MODE !== 0 && stage === undefined)
  note(reader, processContext, address, words, e.V === 0 ? `PASID ${hex(pasid)}: not valid`
    : `PASID ${hex(pasid)}: ${wrong ? 'programmed wrongly' : describeStage(stage ?? 'bare', 'first')}`)
  if (e.V === 0) throw new Stopped(PROCESS.invalid)
  if (wrong) throw new Stopped(PROCESS.wrong)
  return { supervisor: e.ENS === 1, userPages: e.SUM === 1, first: stage ?? 'bare' }
}
