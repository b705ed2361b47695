// Reads a capture: registers, devices and the recorded pages of one machine's IOMMU tables.
import { FRAME_BYTES, frameOf } from '@iommu/hardware'
import type { HardwareView } from '@iommu/hardware'
import { readBdf } from './bdf.js'
import { InputError } from './input-error.js'
import { complain, hexAt, itemsOf, memberOf, membersOf, rootOf, textAt, wholeNumberAt } from './place.js'
import type { Place } from './place.js'
import { createRecordedView } from './recorded-pages.js'
import type { Vendor } from './vendor.js'
import { vendorOfPlatform } from './vendors.js'

/** The four files, already read; `names` are what messages call them. */
export interface CaptureFiles {
  readonly meta: string
  readonly registers: string
  readonly tables: string
  readonly bytes: Uint8Array
  readonly names?: Partial<CaptureNames>
}

export interface CaptureNames {
  readonly meta: string
  readonly registers: string
  readonly tables: string
  readonly bytes: string
}

/** A device as the recorded machine named it. */
export interface CapturedDevice {
  /** "0000:00:04.0" */
  readonly bdf: string
  readonly requesterId: number
}

export interface Capture {
  readonly platform: string
  /** Whose tables they are. */
  readonly vendor: Vendor
  readonly names: CaptureNames
  readonly registers: ReadonlyMap<string, bigint>
  readonly devices: readonly CapturedDevice[]
  /** The devices are those that tables lead to, since the source has no list: others may be asked about too. Absent: a list. */
  readonly devicesFrom?: 'tables'
  /** What every answer rests on besides registers and tables. */
  readonly cautions?: readonly string[]
  /** Memory as far as it was recorded. */
  readonly view: HardwareView
  /** What of that memory stands for tables that the source does not show. */
  readonly madeUp?: MadeUp
}

/** Frames that stand for tables which a source speaks of and does not show. */
export interface MadeUp {
  /** Their entries are the source's, where they lie is not. */
  readonly places: ReadonlySet<number>
  /** They lie there, and what they hold leads to such places. */
  readonly words: ReadonlySet<number>
}

/** What the four files are called in a capture folder. */
export const CAPTURE_NAMES: CaptureNames = {
  meta: 'meta.json', registers: 'registers.json', tables: 'tables.json', bytes: 'tables.bin',
}

const readDevices = (meta: Place): CapturedDevice[] => {
  const seen = new Set<string>()
  return itemsOf(memberOf(meta, 'devices')).map((device) => {
    const name = memberOf(device, 'bdf')
    const bdf = textAt(name, 'a device name such as "0000:00:04.0"')
    if (readBdf(bdf) === undefined) complain(name, 'a device name such as "0000:00:04.0"')
    if (seen.has(bdf)) complain(name, 'each device once')
    seen.add(bdf)
    return { bdf, requesterId: Number(hexAt(memberOf(device, 'requesterId'), 16)) }
  })
}

/** The registers of a `registers.json`. */
export const readRegisters = (root: Place): Map<string, bigint> => {
  const registers = new Map<string, bigint>()
  for (const register of itemsOf(memberOf(root, 'registers'))) {
    const name = textAt(memberOf(register, 'name'), 'the name of a register')
    const bits = memberOf(register, 'bits')
    if (bits.value !== 32 && bits.value !== 64) complain(bits, '32 or 64')
    if (registers.has(name)) complain(memberOf(register, 'name'), 'each register once')
    registers.set(name, hexAt(memberOf(register, 'value'), bits.value as number))
  }
  return registers
}

const frameAt = (place: Place, text: string): number => {
  const address = hexAt(place, 52, text)
  return address % BigInt(FRAME_BYTES) === 0n
    ? frameOf(address)
    : complain(place, 'the address of a 4 KiB page', `"${text}"`)
}

const readPages = (
  root: Place,
  bytes: Uint8Array,
  binary: string,
): Pick<Parameters<typeof createRecordedView>[0], 'offsets' | 'zero'> => {
  const size = memberOf(root, 'pageSize')
  if (size.value !== FRAME_BYTES) complain(size, String(FRAME_BYTES))
  const offsets = new Map<number, number>()
  for (const [text, place] of membersOf(memberOf(root, 'pages'))) {
    const frame = frameAt(place, text)
    const offset = wholeNumberAt(place, 'an offset in bytes')
    if (offsets.has(frame)) complain(place, 'each page once', `"${text}" again`)
    if (offset + FRAME_BYTES > bytes.length) {
      complain(
        place,
        `an offset below ${Math.max(0, bytes.length - FRAME_BYTES + 1)} (${binary} has ${bytes.length} bytes)`,
      )
    }
    offsets.set(frame, offset)
  }
  const zero = new Set<number>()
  for (const place of itemsOf(memberOf(root, 'zeroPages'))) {
    const frame = frameAt(place, textAt(place))
    if (zero.has(frame) || offsets.has(frame)) complain(place, 'each page once')
    zero.add(frame)
  }
  return { offsets, zero }
}

/** Throws InputError with the file, the place, what was expected and what was found. */
export const readCapture = async (
  { meta, registers, tables, bytes, names: given }: CaptureFiles,
): Promise<Capture> => {
  const names: CaptureNames = { ...CAPTURE_NAMES, ...given }
  const about = rootOf(names.meta, meta)
  const platform = textAt(memberOf(about, 'platform'), 'the name of a platform')
  return {
    platform,
    vendor: await vendorOfPlatform(platform, names.meta),
    names,
    devices: readDevices(about),
    registers: readRegisters(rootOf(names.registers, registers)),
    view: createRecordedView({
      file: names.tables,
      bytes,
      ...readPages(rootOf(names.tables, tables), bytes, names.bytes),
    }),
  }
}

/** A register's value. Throws InputError where it was not recorded. */
export const registerOf = ({ registers, names }: Capture, name: string): bigint => {
  const value = registers.get(name)
  if (value !== undefined) return value
  const others = [...registers.keys()].slice(0, 6).join(', ')
  throw new InputError({
    file: names.registers,
    place: 'registers',
    expected: `a register named ${name}`,
    found: others === '' ? 'none' : `${others}, ...`,
  })
}
