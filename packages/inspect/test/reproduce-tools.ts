// Changes recorded captures, and asks what `reproduce` makes of them.
import type { Entry } from '@iommu/bits'
import { readCapture, reproduce } from '../src/index.js'
import type { CaptureFiles, ReproducedEntry, Reproduction } from '../src/index.js'
import { captureAt, filesOf } from './recorded.js'

export interface Totals { captures: number; equal: number; explained: number; different: number }

export const reproduceAt = async (folder: string): Promise<Reproduction> => reproduce(await captureAt(folder))
export const reproduceFiles = async (files: CaptureFiles): Promise<Reproduction> => reproduce(await readCapture(files))

export const totalsOf = async (folder: string, names: readonly string[]): Promise<Totals> => {
  const sum: Totals = { captures: 0, equal: 0, explained: 0, different: 0 }
  for (const name of names) {
    const { totals } = await reproduceAt(`${folder}${name}`)
    sum.captures++
    sum.equal += totals.equal
    sum.explained += totals.explained
    sum.different += totals.different
  }
  return sum
}

interface Tables { readonly pages: Record<string, number>; readonly zeroPages: readonly string[] }

/** The files with some words of memory changed. A page that holds only zeros gets a place in the file first. */
export const changed = (folder: string, edit: (word: bigint) => bigint, at: readonly bigint[], files = filesOf(folder)): CaptureFiles => {
  const tables = JSON.parse(files.tables) as Tables
  const pageOf = (address: bigint): string => `0x${(address & ~0xfffn).toString(16)}`
  const zero = [...new Set(at.map(pageOf))].filter((page) => tables.pages[page] === undefined)
  const bytes = new Uint8Array(files.bytes.length + zero.length * 4096)
  bytes.set(files.bytes)
  zero.forEach((page, index) => { tables.pages[page] = files.bytes.length + index * 4096 })
  const view = new DataView(bytes.buffer)
  // Equal pages share their place in the file: each is edited once.
  const places = new Set(at.map((address) => (tables.pages[pageOf(address)] as number) + Number(address & 0xfffn)))
  for (const place of places) view.setBigUint64(place, edit(view.getBigUint64(place, true)), true)
  const zeroPages = tables.zeroPages.filter((page) => !zero.includes(page))
  return { ...files, bytes, tables: JSON.stringify({ ...tables, zeroPages }) }
}

/** The files of a machine that has this device and no other. */
const alone = (folder: string, bdf: string): CaptureFiles => {
  const files = filesOf(folder)
  const meta = JSON.parse(files.meta) as { devices: { bdf: string }[] }
  return { ...files, meta: JSON.stringify({ ...meta, devices: meta.devices.filter((each) => each.bdf === bdf) }) }
}

/** The files with bits of a register set. */
export const withRegister = (files: CaptureFiles, register: string, bits: bigint): CaptureFiles => {
  const parsed = JSON.parse(files.registers) as { registers: { name: string; value: string }[] }
  for (const each of parsed.registers) if (each.name === register) each.value = `0x${(BigInt(each.value) | bits).toString(16)}`
  return { ...files, registers: JSON.stringify(parsed) }
}

export const entriesOf = async (folder: string, entry: string): Promise<ReproducedEntry[]> =>
  (await reproduceAt(folder)).entries.filter((each) => each.entry === entry)
export const entryOf = async (folder: string, entry: string, about: Partial<ReproducedEntry>): Promise<ReproducedEntry> =>
  (await entriesOf(folder, entry)).find((each) =>
    Object.entries(about).every(([name, value]) => each[name as keyof ReproducedEntry] === value)) as ReproducedEntry

export const flip = (folder: string, { address, bdf }: ReproducedEntry, bit: number): Promise<Reproduction> => reproduceFiles(changed(
  folder, (word) => word ^ (1n << BigInt(bit % 64)), [BigInt(address) + BigInt(8 * Math.floor(bit / 64))], alone(folder, bdf)))

/** Bits of an entry that are taken from the record: flipped, they stand for something else that is as good. */
export const told = ({ fields }: Entry, ...names: readonly string[]): ReadonlySet<number> => new Set(
  Object.entries(fields).filter(([name]) => names.includes(name))
    .flatMap(([, { runs }]) => runs.flatMap(([high, low]) => Array.from({ length: high - low + 1 }, (_, index) => low + index))))
