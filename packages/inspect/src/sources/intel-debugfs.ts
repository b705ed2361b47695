// Linux's debugfs text of a VT-d unit, as tables: registers, root, context and PASID entries, and page-table entries.
//
// The files are iommu_regset, dmar_translation_struct and <device>[/<pasid>]/domain_translation_struct, in any order, alone
// or one after the other. They print every entry that is present, so that what they leave out of a table that they name is
// absent. They do not print PASID directory entries: these are made up here, and said to be (`madeUp`). Nor do they
// print root entries whose context tables are empty: such a bus reads as absent one table earlier.
import { decode, encode } from '@iommu/bits'
import { rootTableAddress, TABLE_MODES } from '@iommu/driver-intel-vtd/registers'
import { pasidDirectoryEntry, rootEntry, scalableContextEntry, scalableRootEntry } from '@iommu/driver-intel-vtd/tables'
import { FRAME_BYTES, frameAddress, frameOf } from '@iommu/hardware'
import type { HardwareView } from '@iommu/hardware'
import { secondStageEntry } from '@iommu/page-table'
import { readBdf } from '../bdf.js'
import type { MadeUp } from '../capture.js'
import { InputError, quoted } from '../input-error.js'
import { root as rootRegisters } from '../vtd/root.js'
import { completeRegisters } from './roots.js'
import type { CompletedRegisters, Given } from './roots.js'
import { createWordPages } from './word-pages.js'
import type { WordPages } from './word-pages.js'

/** What the text says, ready to be a capture. */
export interface PrintedTables extends CompletedRegisters {
  readonly devices: readonly { readonly bdf: string; readonly requesterId: number }[]
  readonly view: HardwareView
  /** PASID directories are not printed, nor where PASID tables lie. */
  readonly madeUp: MadeUp
}

interface Unit {
  readonly registers: Map<string, bigint>
  root?: bigint
  readonly rows: Row[]
}

interface Row {
  readonly bdf: string
  readonly requesterId: number
  /** Low word first. */
  readonly root: readonly bigint[]
  readonly context: readonly bigint[]
  /** Undefined in legacy mode. */
  readonly pasid: { readonly number: number; readonly words: readonly bigint[] } | undefined
  readonly line: number
}

/** Page-table entries from the widest level down; fewer than five where a leaf is large. */
interface Printed {
  readonly root: bigint
  readonly frame: bigint
  readonly words: readonly bigint[]
}

interface Text {
  readonly units: Map<string, Unit>
  /** Of domain_translation_struct. */
  readonly devices: string[]
  readonly tables: { readonly root: bigint }[]
  readonly entries: Printed[]
}

/** A word; longer numbers are none. */
const HEX = '0x[0-9a-f]{1,16}'
const REGISTERS = /^IOMMU: (\S+) Register Base Address:/
const REGISTER = new RegExp(`^(\\w+)\\s+${HEX}\\s+(${HEX})\\s*$`)
const TABLES = new RegExp(`^IOMMU (\\S+): Root Table Address: (${HEX})`)
const ROW = new RegExp(`^([0-9a-f]+:[0-9a-f]+\\.[0-7])\\s+(${HEX}:${HEX})\\s+(${HEX}:${HEX})(?:\\s+(-?\\d{1,7})\\s+(${HEX}(?::${HEX}){0,7}))?\\s*$`)
const DOMAIN = new RegExp(`^Device (\\S+)(?: with pasid [0-9a-f]+)? @(${HEX})`)
const ENTRY = new RegExp(`^(${HEX}) \\|((?:\\s+${HEX}){1,5})\\s*$`)

const lowFirst = (printed: string): bigint[] => printed.split(':').map(BigInt).reverse()

/** One pass over the lines; lines of other kinds (titles, other files) are passed over. */
const readLines = (text: string): Text => {
  const found: Text = { units: new Map(), devices: [], tables: [], entries: [] }
  const unitAt = (name: string): Unit => {
    const unit = found.units.get(name) ?? { registers: new Map<string, bigint>(), rows: [] }
    found.units.set(name, unit)
    return unit
  }
  let unit: Unit | undefined
  let root: bigint | undefined
  text.split('\n').forEach((line, index) => {
    const registers = REGISTERS.exec(line)
    if (registers !== null) unit = unitAt(registers[1] as string)
    const tables = TABLES.exec(line)
    if (tables !== null) {
      unit = unitAt(tables[1] as string)
      unit.root = BigInt(tables[2] as string)
    }
    const domain = DOMAIN.exec(line)
    if (domain !== null) {
      root = BigInt(domain[2] as string)
      found.devices.push(domain[1] as string)
      found.tables.push({ root })
    }
    const register = REGISTER.exec(line)
    if (register !== null) unit?.registers.set(register[1] as string, BigInt(register[2] as string))
    const row = ROW.exec(line)
    if (row !== null) unit?.rows.push(...readRow(row, index + 1))
    const entry = ENTRY.exec(line)
    if (entry !== null && root !== undefined) {
      found.entries.push({ root, frame: BigInt(entry[1] as string), words: (entry[2] as string).trim().split(/\s+/).map(BigInt) })
    }
  })
  return found
}

/** None for a line that only looks like a row. */
const readRow = ([, name, root, context, number, pasid]: RegExpExecArray, line: number): Row[] => {
  const bdf = readBdf(name as string)
  if (bdf === undefined) return []
  return [{
    bdf: name as string,
    requesterId: bdf.requesterId,
    root: lowFirst(root as string),
    context: lowFirst(context as string),
    pasid: number === undefined || Number(number) < 0 ? undefined : { number: Number(number), words: lowFirst(pasid as string) },
    line,
  }]
}

/** Writes entries where hardware looks for them; words that the text leaves out are zero. */
const put = (pages: WordPages, address: bigint, words: readonly bigint[]): void =>
  words.forEach((word, index) => pages.put(address + BigInt(index * 8), word))

/** What has been made up so far. */
interface Unprinted {
  readonly frames: ReadonlySet<number>
  readonly directories: Set<number>
  /** PASID tables by the directory entry that leads to them. */
  readonly tables: Map<bigint, bigint>
  take(): bigint
}

/** Made-up frames for tables that are not printed: from the top of 40 bits down, where nothing printed lies. */
const createUnprinted = (pages: WordPages): Unprinted => {
  const frames = new Set<number>()
  let next = 2 ** 28 - 1
  return {
    frames,
    directories: new Set(),
    tables: new Map(),
    take() {
      while (pages.has(next)) next--
      frames.add(next)
      const address = frameAddress(next--)
      pages.know(address)
      return address
    },
  }
}

const PASIDS_A_TABLE = 64
const ENTRY_BYTES = 8n

/** The whole PASID directory: what it leads to was printed, PASID by PASID. */
const knowDirectory = (
  pages: WordPages, directories: Set<number>, { PASIDDIRPTR, PDTS }: { readonly PASIDDIRPTR: bigint; readonly PDTS: number },
): void => {
  const bytes = BigInt(2 ** (PDTS + 7)) * ENTRY_BYTES
  for (let at = PASIDDIRPTR; at < PASIDDIRPTR + bytes; at += BigInt(FRAME_BYTES)) {
    pages.know(at)
    directories.add(frameOf(at))
  }
}

/** Context and PASID entries of a row, in scalable mode. */
const putScalable = (pages: WordPages, unprinted: Unprinted, row: Row): void => {
  const { LP, LCTP, UP, UCTP } = decode(scalableRootEntry, row.root)
  if (LP === 1) pages.know(LCTP)
  if (UP === 1) pages.know(UCTP)
  const devfn = row.requesterId & 0xff
  put(pages, (devfn < 0x80 ? LCTP : UCTP) + BigInt((devfn & 0x7f) * 32), [...row.context, 0n, 0n])
  if (row.pasid === undefined) return
  const context = decode(scalableContextEntry, [...row.context, 0n, 0n])
  knowDirectory(pages, unprinted.directories, context)
  const slot = context.PASIDDIRPTR + BigInt(Math.floor(row.pasid.number / PASIDS_A_TABLE)) * ENTRY_BYTES
  let table = unprinted.tables.get(slot)
  if (table === undefined) {
    unprinted.tables.set(slot, (table = unprinted.take()))
    put(pages, slot, encode(pasidDirectoryEntry, { P: 1, SMPTBLPTR: table }))
  }
  put(pages, table + BigInt((row.pasid.number % PASIDS_A_TABLE) * 64), row.pasid.words)
}

const putLegacy = (pages: WordPages, row: Row): void => {
  const { CTP } = decode(rootEntry, row.root)
  pages.know(CTP)
  put(pages, CTP + BigInt((row.requesterId & 0xff) * 16), row.context)
}

const LEVELS = 5
const addressOf = (word: bigint): bigint => decode(secondStageEntry, [word]).ADDR

/** The entries of one line, from the root down. The widest level is zero where the tables have fewer. */
const putPages = (pages: WordPages, { root, frame, words }: Printed): void => {
  let table = root
  words.forEach((word, index) => {
    const level = LEVELS - index
    if (index === 0 && word === 0n) return
    pages.put(table + ((frame >> BigInt((level - 1) * 9)) & 511n) * 8n, word)
    if (index < words.length - 1) {
      table = addressOf(word)
      pages.know(table)
    }
  })
}

const choose = ({ units }: Text, file: string, name: string | undefined): Unit => {
  const names = [...units.keys()]
  const unit = name === undefined ? [...units.values()][0] : units.get(name)
  if (unit === undefined || (name === undefined && units.size > 1)) {
    const expected = names.length === 0 ? 'a table of dmar_translation_struct' : `one of ${names.join(', ')}`
    throw new InputError({ file, place: 'the units', expected, found: name !== undefined ? quoted(name) : names.length === 0 ? 'none' : 'none chosen' })
  }
  return unit
}

const registersOf = ({ registers, root, rows }: Unit, file: string, given: Given): CompletedRegisters =>
  completeRegisters(rootRegisters, registers, given, {
    file, place: root === undefined ? 'line 1' : `line ${(rows[0]?.line ?? 3) - 2}`,
    hint: 'the text of iommu_regset beside it: without registers no table can be read. Missing: ',
  })

/** Names in full, with the segment, where domain_translation_struct has them: dmar_translation_struct has none. */
const devicesOf = ({ rows }: Unit, named: readonly string[]): PrintedTables['devices'] => {
  const full = new Map(named.map((bdf) => [readBdf(bdf)?.requesterId, bdf]))
  const devices = new Map(rows.map(({ bdf, requesterId }) => [requesterId, { bdf: full.get(requesterId) ?? bdf, requesterId }]))
  return [...devices.values()]
}

/**
 * Reads the text. `file` is what errors call it; `given.unit` says which one of several is meant ("dmar0"). Throws InputError
 * where registers are missing, and where there are several units and none is chosen.
 */
export const readIntelDebugfs = (text: string, file: string, given: Given = {}): PrintedTables => {
  const printed = readLines(text)
  const chosen = choose(printed, file, given.unit)
  const { registers, cautions } = registersOf(chosen, file, given)
  const { TTM, RTA } = decode(rootTableAddress, [registers.get('RTADDR') as bigint])
  const scalable = Object.entries(TABLE_MODES).some(([value, name]) => Number(value) === TTM && name === 'scalable')
  const pages = createWordPages()
  // Without dmar_translation_struct nothing is known of the root table.
  if (chosen.root !== undefined) pages.know(RTA)
  for (const row of chosen.rows) put(pages, RTA + BigInt((row.requesterId >> 8) * 16), row.root)
  for (const { root } of printed.tables) pages.know(root)
  for (const entry of printed.entries) putPages(pages, entry)
  const unprinted = createUnprinted(pages)
  for (const row of chosen.rows) {
    if (scalable) putScalable(pages, unprinted, row)
    else putLegacy(pages, row)
  }
  return {
    registers, cautions, devices: devicesOf(chosen, printed.devices), madeUp: { places: unprinted.frames, words: unprinted.directories },
    view: pages.view(file, 'a table that the text prints'),
  }
}

/** The registers of a text with iommu_regset in it. Throws InputError where there are several units and none is chosen. */
export const readIntelRegisters = (text: string, file: string, unit?: string): ReadonlyMap<string, bigint> =>
  choose(readLines(text), file, unit).registers
