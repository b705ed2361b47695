// ELF cores and raw images as memory: physical pages read one at a time, so that a dump of many GiB is never loaded.
import { addresses, FRAME_BYTES } from '@iommu/hardware'
import type { HardwareView } from '@iommu/hardware'
import { InputError, MissingMemoryError } from '../input-error.js'

/** A file that is read in places. */
export interface StoredBytes {
  readonly name: string
  readonly size: number
  /** `length` bytes from `offset` on; fewer at the end of the file. */
  read(offset: number, length: number): Uint8Array
}

/** A range of physical memory in a file. What lies between `stored` and `length` is zero. */
export interface Segment {
  readonly physical: number
  readonly length: number
  readonly offset: number
  readonly stored: number
}

const HEADER = 64
const PROGRAM_HEADER = 56
const SECTION_HEADER = 64
const LOAD = 1
/** e_phnum: the number is in the first section header instead. */
const MANY = 0xffff
/** A dump that leaves pages out has one for each run of pages. */
const MOST_HEADERS = 2 ** 20
/** p_paddr of what has no physical address, as in /proc/kcore. */
const NOWHERE = 2n ** 64n - 1n
const MAGIC = 0x464c457f

const dataOf = (bytes: Uint8Array): DataView => new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)

const complain = (file: StoredBytes, offset: number, expected: string, found: string): never => {
  throw new InputError({ file: file.name, place: `offset 0x${offset.toString(16)}`, expected, found })
}

const bytesAt = (file: StoredBytes, offset: number, length: number, what: string): DataView => {
  const bytes = file.read(offset, length)
  return bytes.length === length ? dataOf(bytes) : complain(file, offset, `${length} bytes of ${what}`, `${bytes.length}`)
}

const safe = (file: StoredBytes, offset: number, value: bigint, what: string): number =>
  value <= BigInt(Number.MAX_SAFE_INTEGER) ? Number(value) : complain(file, offset, `${what} below 2^53`, `0x${value.toString(16)}`)

/**
 * The physical memory in a 64-bit little-endian ELF core (QEMU's dump-guest-memory, kdump's ELF form): its PT_LOAD
 * segments by physical address. Throws InputError for another file, with the offset.
 */
export const elfSegments = (file: StoredBytes): Segment[] => {
  const header = bytesAt(file, 0, HEADER, 'an ELF header')
  if (header.getUint32(0, true) !== MAGIC) complain(file, 0, 'the magic number of ELF', `0x${header.getUint32(0, true).toString(16)}`)
  if (header.getUint8(4) !== 2) complain(file, 4, 'class 2 (64 bits)', String(header.getUint8(4)))
  if (header.getUint8(5) !== 1) complain(file, 5, 'data encoding 1 (little-endian)', String(header.getUint8(5)))
  const start = safe(file, 32, header.getBigUint64(32, true), 'the place of the program headers')
  const each = header.getUint16(54, true)
  if (each !== PROGRAM_HEADER) complain(file, 54, `program headers of ${PROGRAM_HEADER} bytes`, String(each))
  const count = header.getUint16(56, true) === MANY ? manyHeaders(file, header) : header.getUint16(56, true)
  if (count > MOST_HEADERS) complain(file, 56, `at most ${MOST_HEADERS} program headers`, String(count))
  const segments = Array.from({ length: count }, (_, index) => segmentAt(file, start + index * PROGRAM_HEADER))
    .filter((segment) => segment !== undefined)
  return segments.length > 0 ? segments : complain(file, start, 'a PT_LOAD segment with physical memory', 'none')
}

const manyHeaders = (file: StoredBytes, header: DataView): number => {
  const at = safe(file, 40, header.getBigUint64(40, true), 'the place of the section headers')
  return bytesAt(file, at, SECTION_HEADER, 'a section header').getUint32(44, true)
}

const segmentAt = (file: StoredBytes, at: number): Segment | undefined => {
  const header = bytesAt(file, at, PROGRAM_HEADER, 'a program header')
  if (header.getUint32(0, true) !== LOAD || header.getBigUint64(24, true) === NOWHERE) return undefined
  const number = (from: number, what: string): number => safe(file, at + from, header.getBigUint64(from, true), what)
  return {
    offset: number(8, 'an offset'), physical: number(24, 'a physical address'),
    stored: number(32, 'a length'), length: number(40, 'a length'),
  }
}

/** Where a part of a raw image begins, in physical memory and in the file. */
export interface Piece {
  readonly physical: number
  readonly offset: number
}

/** A raw image of physical memory. A machine's RAM may have holes: each piece goes on to where the next begins in the file. */
export const rawSegments = (file: StoredBytes, pieces: readonly Piece[] = [{ physical: 0, offset: 0 }]): Segment[] => {
  const inOrder = [...pieces].sort((one, other) => one.offset - other.offset)
  return inOrder.map(({ physical, offset }, index) => {
    const stored = Math.max(0, (inOrder[index + 1]?.offset ?? file.size) - offset)
    return { physical, length: stored, offset, stored }
  })
}

/** Finds the segment of an address. They may overlap: a core lists the kernel's text besides the memory that it lies in. */
const createFinder = (segments: readonly Segment[]): ((physical: number) => Segment | undefined) => {
  const inOrder = [...segments].sort((one, other) => one.physical - other.physical)
  let end = 0
  const ends = inOrder.map(({ physical, length }) => (end = Math.max(end, physical + length)))
  return (physical) => {
    let [low, high] = [0, inOrder.length]
    while (low < high) {
      const middle = (low + high) >> 1
      if ((inOrder[middle] as Segment).physical <= physical) low = middle + 1
      else high = middle
    }
    for (let at = low - 1; at >= 0 && (ends[at] as number) > physical; at--) {
      const segment = inOrder[at] as Segment
      if (physical < segment.physical + segment.length) return segment
    }
    return undefined
  }
}

/** Pages held at the most; a walk needs a few, an inspection of many devices some thousands. */
const MOST_PAGES = 4096

/** Memory in a file. Reading what no segment holds throws MissingMemoryError. */
export const createStoredView = (file: StoredBytes, segments: readonly Segment[]): HardwareView => {
  const pages = new Map<number, DataView>()
  const find = createFinder(segments)
  /** One page, of one or several segments: kdump leaves pages out, and segments need not begin on a page. */
  const load = (frame: number): DataView => {
    const page = new Uint8Array(FRAME_BYTES)
    for (let at = 0; at < FRAME_BYTES;) {
      const physical = frame * FRAME_BYTES + at
      const segment = find(physical)
      if (segment === undefined) {
        throw new MissingMemoryError(BigInt(physical), {
          file: file.name, place: `physical address 0x${physical.toString(16)}`, expected: 'memory, since a table points there', found: 'none in the file',
        })
      }
      const within = physical - segment.physical
      const length = Math.min(FRAME_BYTES - at, segment.length - within)
      const stored = Math.max(0, Math.min(length, segment.stored - within))
      const bytes = stored > 0 ? file.read(segment.offset + within, stored) : new Uint8Array(0)
      if (bytes.length < stored) {
        throw new MissingMemoryError(BigInt(physical + bytes.length), {
          file: file.name, place: `offset 0x${(segment.offset + within).toString(16)}`, expected: `${stored} bytes of memory`, found: `${bytes.length}: the file is cut`,
        })
      }
      page.set(bytes, at)
      at += length
    }
    return dataOf(page)
  }
  const pageAt = (frame: number): DataView => {
    let page = pages.get(frame)
    if (page === undefined) {
      page = load(frame)
      if (pages.size >= MOST_PAGES) pages.delete(pages.keys().next().value as number)
      pages.set(frame, page)
    }
    return page
  }
  const WORDS = FRAME_BYTES / 8
  const view = {
    low: 0,
    high: 0,
    // A dump does not say what else is memory; reading what it lacks is told as an error, not as a blocked DMA.
    has: (): boolean => true,
    loadPair(frame: number, index: number): void {
      const page = pageAt(frame + Math.floor(index / WORDS))
      view.low = page.getInt32((index % WORDS) * 8, true)
      view.high = page.getInt32((index % WORDS) * 8 + 4, true)
    },
    load64(address: bigint): bigint {
      view.loadPair(addresses.frameOf(address), Number(address & 0xfffn) >> 3)
      return addresses.join(view.low, view.high)
    },
  }
  return view
}
