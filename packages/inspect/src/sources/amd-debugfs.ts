// Linux's debugfs text of AMD-Vi, as registers and device table entries.
//
// The files are devtbl (one device table entry, of the device that was written to devid) and iommuNN/mmio (one register,
// of the offset that was written to it), in any order and as often as they were read. Page tables are not printed: a walk
// goes as far as the entry. The file iommuNN/capability looks like mmio with 8 digits, and is passed over.
import { FRAME_BYTES } from '@iommu/hardware'
import type { HardwareView } from '@iommu/hardware'
import { decode } from '@iommu/bits'
import { deviceTableBase, OFFSETS } from '@iommu/driver-amd-vi/registers'
import { root as rootRegisters } from '../amd/root.js'
import { readBdf } from '../bdf.js'
import type { CapturedDevice } from '../capture.js'
import { InputError, quoted } from '../input-error.js'
import { completeRegisters } from './roots.js'
import type { CompletedRegisters, Given } from './roots.js'
import { createWordPages } from './word-pages.js'

/** What the text says, ready to be a capture. */
export interface PrintedDeviceTable extends CompletedRegisters {
  readonly devices: readonly CapturedDevice[]
  readonly view: HardwareView
}

interface Row extends CapturedDevice {
  readonly unit: string
  /** Low word first. */
  readonly words: readonly bigint[]
}

const UNIT = /\biommu(\d+)\/mmio\b/
const REGISTER = /\bOffset:(0x[0-9a-f]+) Value:(0x[0-9a-f]{16})\s*$/
const ROW = /^([0-9a-f]{4,8}:[0-9a-f]{2}:[0-9a-f]{2}\.[0-7])((?:\s+[0-9a-f]{16}){4})\s+(iommu\d+)\s*$/
const NAMES = new Map<number, string>(Object.entries(OFFSETS).map(([name, offset]) => [offset, name]))
/** Registers of a text that does not say of which unit. */
const ANY = ''

const readLines = (text: string): { readonly registers: Map<string, Map<string, bigint>>; readonly rows: Row[] } => {
  const registers = new Map<string, Map<string, bigint>>()
  const rows: Row[] = []
  let unit = ANY
  for (const line of text.split('\n')) {
    const named = UNIT.exec(line)
    if (named !== null) unit = `iommu${Number(named[1])}`
    const [, offset, value] = REGISTER.exec(line) ?? []
    const name = offset === undefined ? undefined : NAMES.get(Number(offset))
    if (name !== undefined) {
      const known = registers.get(unit) ?? new Map<string, bigint>()
      registers.set(unit, known.set(name, BigInt(value as string)))
    }
    const [, bdf, words, owner] = ROW.exec(line) ?? []
    const requester = bdf === undefined ? undefined : readBdf(bdf)
    if (bdf !== undefined && requester !== undefined) {
      const low = (words as string).trim().split(/\s+/).map((word) => BigInt(`0x${word}`)).reverse()
      rows.push({ bdf, requesterId: requester.requesterId, unit: owner as string, words: low })
    }
  }
  return { registers, rows }
}

const chooseUnit = (names: readonly string[], file: string, wanted: string | undefined): string => {
  const plain = wanted?.replace(/^iommu0+(?=\d)/, 'iommu')
  if (plain === undefined ? names.length < 2 : names.includes(plain)) return plain ?? names[0] ?? ANY
  throw new InputError({
    file, place: 'the units', expected: names.length === 0 ? 'no --unit: the text names none' : `--unit with one of ${names.join(', ')}`,
    found: wanted === undefined ? 'none chosen' : quoted(wanted),
  })
}

/** The registers of a text with mmio in it. Throws InputError where there are several units and none is chosen. */
export const readAmdRegisters = (text: string, file: string, wanted?: string): ReadonlyMap<string, bigint> => {
  const { registers } = readLines(text)
  const unit = chooseUnit([...registers.keys()].filter((name) => name !== ANY), file, wanted)
  return new Map([...registers.get(ANY) ?? [], ...registers.get(unit) ?? []])
}

/**
 * Reads the text. `file` is what errors call it; `given.unit` says which one of several IOMMUs is meant ("iommu1"). Throws
 * InputError where registers are missing, and where there are several units and none is chosen.
 */
export const readAmdDebugfs = (text: string, file: string, given: Given = {}): PrintedDeviceTable => {
  const { registers: printed, rows } = readLines(text)
  const names = [...new Set([...printed.keys(), ...rows.map(({ unit }) => unit)])].filter((name) => name !== ANY).sort()
  const unit = chooseUnit(names, file, given.unit)
  const known = new Map([...printed.get(ANY) ?? [], ...printed.get(unit) ?? []])
  const completed = completeRegisters(rootRegisters, known, given, {
    file, place: 'the registers', hint: `the text of ${unit === ANY ? 'iommuNN' : unit}/mmio for each of `,
  })
  const { Base, Size } = decode(deviceTableBase, [completed.registers.get('DEVTAB_BASE') as bigint])
  const pages = createWordPages()
  const devices = new Map<string, CapturedDevice>()
  for (const row of rows) {
    if (row.unit !== unit && unit !== ANY) continue
    const at = BigInt(row.requesterId * 32)
    if (at >= BigInt((Size + 1) * FRAME_BYTES)) {
      throw new InputError({
        file, place: `the entry of ${row.bdf}`, expected: `a device id below 0x${((Size + 1) * FRAME_BYTES / 32).toString(16)}, where DEVTAB_BASE ends the table`,
        found: `0x${row.requesterId.toString(16)}`,
      })
    }
    row.words.forEach((word, index) => pages.put(Base + at + BigInt(index * 8), word))
    devices.set(row.bdf, { bdf: row.bdf, requesterId: row.requesterId })
  }
  return { ...completed, devices: [...devices.values()], view: pages.view(file, 'an entry that the text prints (devtbl prints one device\'s, and no page tables)') }
}
