// Opens a source: a capture folder, debugfs text (a file, a folder of files, standard input), an ELF core, a raw image.
import { closeSync, fstatSync, openSync, readdirSync, readFileSync, readSync } from 'node:fs'
import { basename, join } from 'node:path'
import { CAPTURE_NAMES, InputError, isPrinted, kindOfFile, readDump, readPrinted, readRegisterText, withGiven } from '@iommu/inspect'
import type { Capture, Given, Piece, StoredBytes } from '@iommu/inspect'
import { openCapture, statOf, whyUnreadable } from './capture-folder.js'
import { UsageError } from './io.js'
import type { Io } from './io.js'

/** Options of every verb that takes a source. */
export const SOURCE_OPTIONS = {
  vendor: { type: 'string' }, root: { type: 'string' }, mode: { type: 'string' }, unit: { type: 'string' },
  registers: { type: 'string' }, register: { type: 'string', multiple: true }, base: { type: 'string', multiple: true },
} as const

/** The part of a usage text that says what a source is. */
export const SOURCE_USAGE = `
A source is one of these, told apart by content:
  a capture folder     meta.json, registers.json, tables.json, tables.bin
  debugfs text         of Linux's VT-d (iommu_regset, dmar_translation_struct,
                       domain_translation_struct) or AMD-Vi (devtbl, mmio): a
                       file, a folder such as /sys/kernel/debug/iommu/intel, or
                       - for standard input
  an ELF core          QEMU's dump-guest-memory, kdump's vmcore in ELF form
  a raw image          of physical memory
Of a dump only what is asked for is read. It has no registers; they are given:
  --registers FILE     registers.json of a capture, or the text of iommu_regset
  --register NAME=0x.. one register; may be repeated
  --vendor V --root X  intel, amd, arm or riscv, and the value of RTADDR,
                       DEVTAB_BASE, STRTAB_BASE or ddtp; what no register says
                       is then taken for granted, and said
  --mode M             where X is the address alone: of VT-d legacy or scalable,
                       of RISC-V 1-level, 2-level or 3-level
  --unit NAME          one of several IOMMUs of a text: dmar1, iommu1
  --base A[@OFFSET]    where a raw image's memory begins; repeated for RAM with
                       holes: --base 0x0 --base 0x100000000@0x80000000
`

/** What SOURCE_OPTIONS leave behind. */
export interface SourceValues {
  readonly vendor?: string | undefined
  readonly root?: string | undefined
  readonly mode?: string | undefined
  readonly unit?: string | undefined
  readonly registers?: string | undefined
  readonly register?: readonly string[] | undefined
  readonly base?: readonly string[] | undefined
}

const bad = (place: string, expected: string, found: string): InputError =>
  new InputError({ file: 'the arguments', place, expected, found: `"${found}"` })

const hexOf = (place: string, text: string): bigint => {
  const digits = text.replace(/^0x/i, '').replaceAll('_', '')
  if (!/^[0-9a-f]{1,16}$/i.test(digits)) throw bad(place, 'a number of up to 64 bits in hexadecimal', text)
  return BigInt(`0x${digits}`)
}

const readText = (file: string): string => {
  try {
    return readFileSync(file, 'utf8')
  } catch (error) {
    throw new InputError({ file, place: 'the file', expected: 'a text', found: whyUnreadable(error) })
  }
}

const readGiven = async ({ vendor, root, mode, unit, registers, register = [] }: SourceValues): Promise<Given> => {
  const all = new Map(registers === undefined ? [] : await readRegisterText(readText(registers), registers, unit))
  for (const text of register) {
    const [, name, value] = /^(\w+)=(.+)$/.exec(text) ?? []
    if (name === undefined || value === undefined) throw bad('--register', 'NAME=VALUE, such as RTADDR=0x1d12000', text)
    all.set(name, hexOf('--register', value))
  }
  return {
    ...(vendor === undefined ? {} : { vendor }), ...(mode === undefined ? {} : { mode }), ...(unit === undefined ? {} : { unit }),
    ...(root === undefined ? {} : { root: hexOf('--root', root) }), ...(all.size === 0 ? {} : { registers: all }),
  }
}

const readPieces = (texts: readonly string[]): Piece[] => texts.map((text) => {
  const [physical = '', offset = '0', ...rest] = text.split('@')
  if (rest.length > 0) throw bad('--base', 'an address, or ADDRESS@OFFSET', text)
  const [at, from] = [hexOf('--base', physical), hexOf('--base', offset)].map(Number) as [number, number]
  if (!Number.isSafeInteger(at) || !Number.isSafeInteger(from)) throw bad('--base', 'numbers below 2^53', text)
  return { physical: at, offset: from }
})

/** The file stays open as long as the process: memory is read when a table leads there. */
const openStored = (file: string): StoredBytes & { close(): void } => {
  try {
    const handle = openSync(file, 'r')
    return {
      name: file,
      size: fstatSync(handle).size,
      read(offset, length) {
        const bytes = new Uint8Array(length)
        try {
          return bytes.subarray(0, readSync(handle, bytes, 0, length, offset))
        } catch (error) {
          throw new InputError({ file, place: `offset 0x${offset.toString(16)}`, expected: 'bytes that can be read', found: whyUnreadable(error) })
        }
      },
      close: () => closeSync(handle),
    }
  } catch (error) {
    throw new InputError({ file, place: 'the source', expected: 'a capture folder, or a file that can be read', found: whyUnreadable(error) })
  }
}

/** Files of debugfs that say something of tables; the other ones are large, or change when they are read. */
const PRINTED = new Set(['iommu_regset', 'dmar_translation_struct', 'domain_translation_struct', 'devtbl', 'mmio'])
/** iommu/intel/<device>/<pasid>/domain_translation_struct */
const DEEPEST = 4

const printedFiles = (folder: string, depth = 0): string[] => readdirSync(folder, { withFileTypes: true })
  .sort((one, other) => (one.name < other.name ? -1 : 1))
  .flatMap((each) => {
    const path = join(folder, each.name)
    if (each.isDirectory()) return depth < DEEPEST ? printedFiles(path, depth + 1) : []
    return PRINTED.has(basename(each.name).replace(/\.txt$/, '')) ? [path] : []
  })

/** Each file behind its name, as head prints several: AMD's text does not say of which IOMMU it is. */
const openPrintedFolder = (folder: string, given: Given): Promise<Capture> => {
  const files = printedFiles(folder)
  if (files.length > 0) return readPrinted(files.map((file) => `==> ${file} <==\n${readText(file)}`).join('\n'), folder, given)
  throw new InputError({
    file: folder, place: 'the source', found: 'neither',
    expected: `a capture folder with ${Object.values(CAPTURE_NAMES).join(', ')}, or Linux's debugfs files (${[...PRINTED].join(', ')})`,
  })
}

const RAW_NEEDS = '--vendor and --root, or --registers'

const openFile = async (name: string, given: Given, pieces: readonly Piece[] | undefined): Promise<Capture> => {
  const file = openStored(name)
  if (kindOfFile(file).kind === 'text' && pieces === undefined) {
    const text = readText(name)
    file.close()
    if (isPrinted(text)) return readPrinted(text, name, given)
    throw new InputError({
      file: name, place: 'the source', found: 'another text',
      expected: 'a capture folder, Linux\'s debugfs text, an ELF core or a raw image (iommu explain reads logs)',
    })
  }
  if (kindOfFile(file).kind === 'bytes' && given.root === undefined && given.registers === undefined) {
    file.close()
    throw new InputError({
      file: name, place: 'the source', expected: `a capture folder, debugfs text or an ELF core; or, for a raw image of memory, ${RAW_NEEDS}`, found: 'bytes of another kind',
    })
  }
  return readDump(file, given, pieces)
}

/** Throws InputError where the source is not as it must be, and UsageError where the options do not fit it. */
export const openSource = async (name: string, values: SourceValues, io: Pick<Io, 'stdin'>): Promise<Capture> => {
  const given = await readGiven(values)
  const pieces = values.base === undefined ? undefined : readPieces(values.base)
  const isFolder = name !== '-' && statOf(name)?.isDirectory() === true
  if ((name === '-' || isFolder) && pieces !== undefined) throw new UsageError('--base is for a raw image, and it has to be a file')
  if (name === '-') return readPrinted(await io.stdin(), 'standard input', given)
  if (!isFolder) return openFile(name, given, pieces)
  const isCapture = Object.values(CAPTURE_NAMES).some((each) => statOf(join(name, each)) !== undefined)
  return isCapture ? withGiven(await openCapture(name), given) : openPrintedFolder(name, given)
}

/** Says what an answer rests on besides registers and tables. */
export const printCautions = (verb: string, cautions: readonly string[] | undefined, io: Io): void => {
  for (const caution of cautions ?? []) io.stderr(`iommu ${verb}: ${caution}\n`)
}
