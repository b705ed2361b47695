// Linux's debugfs text of a VT-d unit, as tables: registers, root, context and PASID entries, and page-table entries.
//
// The files are iommu_regset, dmar_translation_struct and <device>[/<pasid>]/domain_translation_struct, in any order, alone
// or one after the other. They print every entry that is present, so that what they leave out of a table that they name is
// absent. They do not print PASID directory entries: these are made up here on frames of their own, `unprinted`.
import { decode, encode } from '@iommu/bits'
import {
  globalStatus, pasidDirectoryEntry, rootEntry, rootTableAddress, scalableContextEntry, scalableRootEntry, TABLE_MODES,
} from '@iommu/driver-intel-vtd/tables'
import { frameAddress } from '@iommu/hardware'
import type { HardwareView } from '@iommu/hardware'
import { secondStageEntry } from '@iommu/page-table'
import { readBdf } from '../bdf.js'
import type { Bdf } from '../bdf.js'
import { InputError, quoted } from '../input-error.js'
import { createWordPages } from './word-pages.js'
import type { WordPages } from './word-pages.js'

/** What the text says, ready to be a capture. */
export interface PrintedTables {
  readonly registers: ReadonlyMap<string, bigint>
  readonly devices: readonly { readonly bdf: string; readonly requesterId: number }[]
  readonly view: HardwareView
  /** Frames that stand for tables which the text does not show. */
  readonly unprinted: ReadonlySet<number>
}

/** Whether a text is of this kind. */
export const isIntelDebugfs = (text: string): boolean =>
  /Root Table Address: 0x|^IOVA_PFN\s+PML5E|Register Base Address: [0-9a-f]+/m.test(text)

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
  readonly tables: { readonly root: bigint }[]
  readonly entries: Printed[]
}

const HEX = '0x[0-9a-f]+'
const REGISTERS = /^IOMMU: (\S+) Register Base Address:/
const REGISTER = new RegExp(`^(\\w+)\\s+${HEX}\\s+(${HEX})\\s*$`)
const TABLES = new RegExp(`^IOMMU (\\S+): Root Table Address: (${HEX})`)
const ROW = new RegExp(`^([0-9a-f]+:[0-9a-f]+\\.[0-7])\\s+(${HEX}:${HEX})\\s+(${HEX}:${HEX})(?:\\s+(-?\\d+)\\s+(${HEX}(?::${HEX})*))?\\s*$`)
const DOMAIN = new RegExp(`^Device (\\S+)(?: with pasid [0-9a-f]+)? @(${HEX})`)
const ENTRY = new RegExp(`^(${HEX}) \\|((?:\\s+${HEX}){1,5})\\s*$`)

const lowFirst = (printed: string): bigint[] => printed.split(':').map(BigInt).reverse()

/** One pass over the lines; lines of other kinds (titles, other files) are passed over. */
const readLines = (text: string): Text => {
  const found: Text = { units: new Map(), tables: [], entries: [] }
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
      found.tables.push({ root })
    }
    const register = REGISTER.exec(line)
    if (register !== null) unit?.registers.set(register[1] as string, BigInt(register[2] as string))
    const row = ROW.exec(line)
    if (row !== null) unit?.rows.push(readRow(row, index + 1))
    const entry = ENTRY.exec(line)
    if (entry !== null && root !== undefined) {
      found.entries.push({ root, frame: BigInt(entry[1] as string), words: (entry[2] as string).trim().split(/\s+/).map(BigInt) })
    }
  })
  return found
}

const readRow = ([, bdf, root, context, number, pasid]: RegExpExecArray, line: number): Row => ({
  bdf: bdf as string,
  requesterId: (readBdf(bdf as string) as Bdf).requesterId,
  root: lowFirst(root as string),
  context: lowFirst(context as string),
  pasid: number === undefined || number === '-1' ? undefined : { number: Number(number), words: lowFirst(pasid as string) },
  line,
})

/** Writes entries where hardware looks for them; words that the text leaves out are zero. */
const put = (pages: WordPages, address: bigint, words: readonly bigint[]): void =>
  words.forEach((word, index) => pages.put(address + BigInt(index * 8), word))

/** Made-up frames for tables that are not printed: from the top of 40 bits down, where nothing printed lies. */
const createUnprinted = (pages: WordPages): { readonly frames: Set<number>; take(): bigint } => {
  const frames = new Set<number>()
  let next = 2 ** 28 - 1
  return {
    frames,
    take() {
      while (pages.frames.has(next)) next--
      frames.add(next)
      const address = frameAddress(next--)
      pages.know(address)
      return address
    },
  }
}

/** Context and PASID entries of a row, in scalable mode. `tables` remembers the PASID tables of a directory. */
const putScalable = (pages: WordPages, unprinted: { take(): bigint }, tables: Map<string, bigint>, row: Row): void => {
  const { LCTP, UCTP } = decode(scalableRootEntry, row.root)
  const devfn = row.requesterId & 0xff
  put(pages, (devfn < 0x80 ? LCTP : UCTP) + BigInt((devfn & 0x7f) * 32), [...row.context, 0n, 0n])
  if (row.pasid === undefined) return
  const { PASIDDIRPTR } = decode(scalableContextEntry, [...row.context, 0n, 0n])
  const slot = PASIDDIRPTR + BigInt((row.pasid.number >> 6) * 8)
  let table = tables.get(slot.toString())
  if (table === undefined) {
    tables.set(slot.toString(), (table = unprinted.take()))
    put(pages, slot, encode(pasidDirectoryEntry, { P: 1, SMPTBLPTR: table }))
  }
  put(pages, table + BigInt((row.pasid.number & 0x3f) * 64), row.pasid.words)
}

const putLegacy = (pages: WordPages, row: Row): void => {
  put(pages, decode(rootEntry, row.root).CTP + BigInt((row.requesterId & 0xff) * 16), row.context)
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
    throw new InputError({ file, place: 'the units', expected: `one of ${names.join(', ')}`, found: name === undefined ? 'none chosen' : quoted(name) })
  }
  return unit
}

const registersOf = ({ registers, root, rows }: Unit, file: string): Map<string, bigint> => {
  const complete = new Map(registers)
  if (complete.has('CAP') && complete.has('ECAP') && complete.has('GSTS') && complete.has('RTADDR')) return complete
  throw new InputError({
    file, place: root === undefined ? 'line 1' : `line ${(rows[0]?.line ?? 3) - 2}`,
    expected: 'the text of iommu_regset beside it: without CAP, ECAP, GSTS and RTADDR no table can be read', found: 'none',
  })
}

/**
 * Reads the text. `file` is what errors call it, `unit` which one of several is meant ("dmar0"). Throws InputError where
 * registers are missing, and where there are several units and none is chosen.
 */
export const readIntelDebugfs = (text: string, file: string, unit?: string): PrintedTables => {
  const printed = readLines(text)
  const chosen = choose(printed, file, unit)
  const registers = registersOf(chosen, file)
  const { TTM, RTA } = decode(rootTableAddress, [registers.get('RTADDR') as bigint])
  const scalable = Object.entries(TABLE_MODES).some(([value, name]) => Number(value) === TTM && name === 'scalable')
  const pages = createWordPages()
  if (decode(globalStatus, [registers.get('GSTS') as bigint]).TES === 1) pages.know(RTA)
  for (const row of chosen.rows) put(pages, RTA + BigInt((row.requesterId >> 8) * 16), row.root)
  for (const { root } of printed.tables) pages.know(root)
  for (const entry of printed.entries) putPages(pages, entry)
  const unprinted = createUnprinted(pages)
  const tables = new Map<string, bigint>()
  for (const row of chosen.rows) {
    if (scalable) putScalable(pages, unprinted, tables, row)
    else putLegacy(pages, row)
  }
  const devices = new Map(chosen.rows.map(({ bdf, requesterId }) => [bdf, { bdf, requesterId }]))
  return { registers, devices: [...devices.values()], view: pages.view(file), unprinted: unprinted.frames }
}
