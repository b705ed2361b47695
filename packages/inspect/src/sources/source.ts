// Sources: what people have in hand besides a capture folder, read into a capture.
import { nameOfRequester } from '../bdf.js'
import { readRegisters } from '../capture.js'
import type { Capture, CapturedDevice } from '../capture.js'
import { InputError, quoted } from '../input-error.js'
import { rootOf } from '../place.js'
import { unitOf } from '../unit.js'
import { platformOf, platforms, vendorNamed, vendorOfPlatform } from '../vendors.js'
import type { RequesterVerdict, Unit } from '../vendor.js'
import type { VendorId } from '../vendors.js'
import { createStoredView, elfSegments, rawSegments } from './elf-core.js'
import type { Piece, StoredBytes } from './elf-core.js'
import { isAmdDebugfs, isIntelDebugfs, kindOfFile } from './kinds.js'
import { completeRegisters, loadRoot, vendorOfRegisters } from './roots.js'
import type { CompletedRegisters, Given } from './roots.js'

const beginningOf = (text: string): string => (text.trim() === '' ? 'no text' : quoted(text.trimStart().slice(0, 60)))

const vendorGiven = ({ vendor }: Given): VendorId | undefined => {
  if (vendor === undefined) return undefined
  const id = vendorNamed(vendor)
  if (id !== undefined) return id
  throw new InputError({ file: 'the arguments', place: '--vendor', expected: `one of ${platforms().join(', ')}`, found: quoted(vendor) })
}

type Parts = CompletedRegisters & Pick<Capture, 'devices' | 'view' | 'madeUp'>

const captureOf = async (id: VendorId, name: string, { registers, cautions, devices, view, madeUp }: Parts): Promise<Capture> => ({
  platform: platformOf(id),
  vendor: await vendorOfPlatform(platformOf(id), name),
  names: { meta: name, registers: name, tables: name, bytes: name },
  registers, devices, view, devicesFrom: 'tables',
  ...(madeUp === undefined ? {} : { madeUp }),
  ...(cautions.length === 0 ? {} : { cautions }),
})

/**
 * Linux's debugfs text of VT-d or AMD-Vi, one file or several one after the other. `name` is what errors call it. Throws
 * InputError for another text, where registers are missing, and where one of several IOMMUs has to be chosen.
 */
export const readPrinted = async (text: string, name: string, given: Given = {}): Promise<Capture> => {
  const id = isIntelDebugfs(text) ? 'vtd' : isAmdDebugfs(text) ? 'amd' : undefined
  if (id === undefined) {
    throw new InputError({
      file: name, place: 'line 1', found: beginningOf(text),
      expected: 'Linux\'s debugfs text (iommu_regset, dmar_translation_struct, domain_translation_struct; or AMD\'s devtbl, mmio)',
    })
  }
  const wanted = vendorGiven(given) ?? id
  if (wanted !== id) {
    throw new InputError({ file: name, place: 'the text', expected: `text of ${platformOf(wanted)}, as --vendor says`, found: `text of ${platformOf(id)}` })
  }
  return captureOf(id, name, id === 'vtd'
    ? (await import('./intel-debugfs.js')).readIntelDebugfs(text, name, given)
    : (await import('./amd-debugfs.js')).readAmdDebugfs(text, name, given))
}

/** Registers in a text: a capture's registers.json, or debugfs text with registers in it. Throws InputError. */
export const readRegisterText = async (text: string, name: string, unit?: string): Promise<ReadonlyMap<string, bigint>> => {
  if (/^\s*\{/.test(text)) return readRegisters(rootOf(name, text))
  if (isIntelDebugfs(text)) return (await import('./intel-debugfs.js')).readIntelRegisters(text, name, unit)
  if (isAmdDebugfs(text)) return (await import('./amd-debugfs.js')).readAmdRegisters(text, name, unit)
  throw new InputError({ file: name, place: 'line 1', expected: 'a capture\'s registers.json, or debugfs text of registers (iommu_regset, mmio)', found: beginningOf(text) })
}

/**
 * An ELF core or a raw image of physical memory; `pieces` says where the parts of a raw image lie. Only what is asked for is
 * read. Throws InputError where the file is neither, or where nobody says the vendor and the root registers.
 */
export const readDump = async (file: StoredBytes, given: Given = {}, pieces?: readonly Piece[]): Promise<Capture> => {
  const found = kindOfFile(file)
  if (found.kind === 'other') throw new InputError({ file: file.name, place: 'offset 0x0', expected: 'an ELF core or a raw image of physical memory', found: found.what })
  if (found.kind === 'elf' && pieces !== undefined) {
    throw new InputError({ file: 'the arguments', place: '--base', expected: 'a raw image: an ELF core says where its memory lies', found: quoted(file.name) })
  }
  const segments = found.kind === 'elf' ? elfSegments(file) : rawSegments(file, pieces)
  const id = vendorGiven(given) ?? await vendorOfRegisters(given.registers ?? new Map())
  if (id === undefined) {
    throw new InputError({
      file: file.name, place: 'the registers', found: 'none',
      expected: '--registers FILE (registers.json, iommu_regset), or --vendor and --root: a dump of memory has no registers',
    })
  }
  const completed = completeRegisters(await loadRoot(id), new Map(), given, {
    file: file.name, place: 'the registers', hint: 'what a dump of memory has not: ',
  })
  return captureOf(id, file.name, { ...completed, devices: [], view: createStoredView(file, segments) })
}

/** A capture with further registers in place of its own. Throws InputError where they are another vendor's. */
export const withGiven = async (capture: Capture, given: Given): Promise<Capture> => {
  const { id } = capture.vendor
  if ((vendorGiven(given) ?? id) !== id) {
    throw new InputError({ file: capture.names.meta, place: 'platform', expected: `${given.vendor as string}, as --vendor says`, found: quoted(capture.platform) })
  }
  const { registers, cautions } = completeRegisters(await loadRoot(id), capture.registers, given, {
    file: capture.names.registers, place: 'registers', hint: '',
  })
  return { ...capture, registers, ...(cautions.length === 0 ? {} : { cautions }) }
}

const REQUESTERS = 0x10000
/** More than any machine has; a device table that was never written lets all 65536 through. */
const MOST_DEVICES = 4096

const judgedOrLacking = (unit: Unit, requesterId: number): RequesterVerdict | InputError => {
  try {
    return unit.judge(requesterId)
  } catch (error) {
    if (error instanceof InputError) return error
    throw error
  }
}

/**
 * A capture whose source lists no devices, with those that its tables lead to: every 16-bit requester id that is not
 * blocked, or that has PASIDs. Those of whose tables the source lacks a page are left out, and `cautions` say so. Throws
 * InputError where nothing else is left.
 */
export const withDevicesOfTables = (capture: Capture): Capture => {
  const unit = unitOf(capture)
  if (capture.devicesFrom !== 'tables' || capture.devices.length > 0 || unit.mode === 'off' || unit.mode === 'bare') return capture
  const devices: CapturedDevice[] = []
  let more = 0
  const lacking: InputError[] = []
  for (let requesterId = 0; requesterId < REQUESTERS; requesterId++) {
    const judged = judgedOrLacking(unit, requesterId)
    if (judged instanceof InputError) {
      lacking.push(judged)
      continue
    }
    const { verdict, pasids } = judged
    if (verdict.effect === 'blocked' && pasids.length === 0) continue
    if (devices.length < MOST_DEVICES) devices.push({ bdf: nameOfRequester(requesterId), requesterId })
    else more++
  }
  const [first] = lacking
  if (first !== undefined && devices.length === 0) throw first
  const cautions = [
    ...(more === 0 ? [] : [`${more} more requester ids are let through and not listed: was this the right root?`]),
    ...(first === undefined ? [] : [`${lacking.length} requester ids are left out, whose tables are not whole: ${first.message}`]),
  ]
  return { ...capture, devices, cautions: [...capture.cautions ?? [], ...cautions] }
}

/** A capture with these devices alone, whatever its source lists. */
export const withDevices = ({ devicesFrom: _from, ...capture }: Capture, devices: readonly CapturedDevice[]): Capture => ({ ...capture, devices })
