// The same machine in three forms: its capture, Linux's debugfs text of it, and a memory dump. The answers are the same.
import { readFileSync } from 'node:fs'
import { gunzipSync } from 'node:zlib'
import { describe, expect, test } from 'vitest'
import { inspect, walkCapture } from '../src/index.js'
import type { Capture } from '../src/index.js'
import { createStoredView, elfSegments, rawSegments } from '../src/sources/elf-core.js'
import type { StoredBytes } from '../src/sources/elf-core.js'
import { isIntelDebugfs, readIntelDebugfs } from '../src/sources/intel-debugfs.js'
import { captureAt, OWN, readTruth } from './recorded.js'

const RECORDED = ['intel-7.3.4dbg-legacy-edu-vfio', 'intel-7.3.4dbg-scalable-pasid-secondstage-pasid']

const debugfsOf = (name: string): string => {
  const truth = gunzipSync(readFileSync(`${OWN}${name}/truth.txt.gz`)).toString('utf8')
  return truth.split(/^### /m).filter((section) => section.startsWith('/sys/kernel/debug/iommu/intel/')).join('### ')
}

/** What becomes of every page that Linux lists, and of the pages beside. */
const answers = (capture: Capture, name: string): string[] => readTruth(`${OWN}${name}`).debugfs.flatMap(({ device, pasid, iova, size }) =>
  [iova, iova + size].flatMap((at) => (['read', 'write'] as const).map((access) => {
    const source = capture.devices.find(({ bdf }) => `0000:${bdf}`.endsWith(device))
    if (source === undefined) return `${device}: not there`
    const question = { source: source.requesterId, iova: at, access, ...(pasid === undefined || pasid === 0 ? {} : { pasid }) }
    const { outcome, address, permissions, fault, tag } = walkCapture(capture, question)
    return JSON.stringify({ device, pasid, at: at.toString(16), access, outcome, address, permissions, code: fault?.code, tag })
  })))

const effects = (capture: Capture): string[] => inspect(capture).devices.map(({ requesterId, effect, domainId, pasids }) =>
  JSON.stringify({ requesterId, effect, domainId, pasids: pasids.map((each) => [each.pasid, each.effect, each.domainId]) }))

describe.each(RECORDED)('%s', (name) => {
  test('debugfs text gives the answers of the recorded pages', async () => {
    const recorded = await captureAt(`${OWN}${name}`)
    const text = debugfsOf(name)
    expect(isIntelDebugfs(text)).toBe(true)
    const printed: Capture = { ...recorded, ...readIntelDebugfs(text, 'debugfs') }
    const expected = answers(recorded, name)
    expect(expected.length).toBeGreaterThan(100)
    expect(answers(printed, name)).toEqual(expected)
    expect(effects(printed)).toEqual(effects(recorded))
  })
})

const PAGE = 4096

/** The recorded pages of a capture by physical address. */
const pagesOf = (name: string): Map<number, Uint8Array> => {
  const { pages, zeroPages } = JSON.parse(readFileSync(`${OWN}${name}/tables.json`, 'utf8')) as { pages: Record<string, number>; zeroPages: string[] }
  const bytes = readFileSync(`${OWN}${name}/tables.bin`)
  return new Map([
    ...Object.entries(pages).map(([address, offset]) => [Number(address), bytes.subarray(offset, offset + PAGE)] as const),
    ...zeroPages.map((address) => [Number(address), new Uint8Array(PAGE)] as const),
  ])
}

interface ElfOptions {
  /** As kdump's ELF form: zero pages take no room. */
  readonly sparse?: boolean
  /** The number of headers in the first section header, as when there are 65535 or more. */
  readonly many?: boolean
}

/** An ELF core with one PT_LOAD for each page, and a note before them, as dumps have. */
const elfOf = (pages: ReadonlyMap<number, Uint8Array>, { sparse = false, many = false }: ElfOptions = {}): Uint8Array => {
  const all = [...pages]
  const headers = 64 + 64 + (all.length + 1) * 56
  const data = Math.ceil(headers / PAGE) * PAGE
  const file = new Uint8Array(data + all.length * PAGE)
  const view = new DataView(file.buffer)
  file.set([0x7f, 0x45, 0x4c, 0x46, 2, 1, 1])
  view.setUint16(16, 4, true)
  view.setBigUint64(32, 128n, true)
  view.setBigUint64(40, 64n, true)
  view.setUint16(54, 56, true)
  view.setUint16(56, many ? 0xffff : all.length + 1, true)
  view.setUint32(64 + 44, all.length + 1, true)
  view.setUint32(128, 4, true)
  all.forEach(([physical, bytes], index) => {
    const at = 128 + (index + 1) * 56
    const stored = sparse && bytes.every((byte) => byte === 0) ? 0 : PAGE
    view.setUint32(at, 1, true)
    view.setBigUint64(at + 8, BigInt(data + index * PAGE), true)
    view.setBigUint64(at + 24, BigInt(physical), true)
    view.setBigUint64(at + 32, BigInt(stored), true)
    view.setBigUint64(at + 40, BigInt(PAGE), true)
    file.set(bytes, data + index * PAGE)
  })
  return file
}

const stored = (bytes: Uint8Array, name = 'core'): StoredBytes =>
  ({ name, size: bytes.length, read: (offset, length) => bytes.subarray(offset, offset + length) })

describe('memory dumps', () => {
  const [name = ''] = RECORDED
  test.each([{}, { sparse: true }, { many: true }])('an ELF core gives the answers of the recorded pages: %j', async (options) => {
    const recorded = await captureAt(`${OWN}${name}`)
    const file = stored(elfOf(pagesOf(name), options))
    const dumped: Capture = { ...recorded, view: createStoredView(file, elfSegments(file)) }
    expect(effects(dumped)).toEqual(effects(recorded))
    expect(answers(dumped, name)).toEqual(answers(recorded, name))
  })
  test('so does a raw image, of which only what is asked for is read', async () => {
    const recorded = await captureAt(`${OWN}${name}`)
    const pages = pagesOf(name)
    let most = 0
    const image: StoredBytes = {
      name: 'image', size: 2 ** 40,
      read(offset, length) {
        most = Math.max(most, length)
        return pages.get(offset) ?? new Uint8Array(length)
      },
    }
    const dumped: Capture = { ...recorded, view: createStoredView(image, rawSegments(image, 0)) }
    expect(effects(dumped)).toEqual(effects(recorded))
    expect(answers(dumped, name)).toEqual(answers(recorded, name))
    expect(most).toBe(PAGE)
  })
  test('memory that is not in the file is not zero', async () => {
    const recorded = await captureAt(`${OWN}${name}`)
    const pages = pagesOf(name)
    const root = Number((recorded.registers.get('RTADDR') as bigint) & ~0xfffn)
    pages.delete(root)
    const file = stored(elfOf(pages))
    const dumped: Capture = { ...recorded, view: createStoredView(file, elfSegments(file)) }
    expect(() => inspect(dumped)).toThrow(`core, physical address 0x${root.toString(16)}: expected memory, since a table points there, found none in the file`)
  })
  test('a file that is cut says so, and where', async () => {
    const recorded = await captureAt(`${OWN}${name}`)
    const whole = elfOf(pagesOf(name))
    const file = stored(whole.subarray(0, whole.length / 8))
    const dumped: Capture = { ...recorded, view: createStoredView(file, elfSegments(file)) }
    expect(() => answers(dumped, name)).toThrow(/offset 0x[0-9a-f]+: expected 4096 bytes of memory, found \d+: the file is cut/)
  })
  test.each([
    ['offset 0x0: expected 64 bytes of an ELF header, found 3', new Uint8Array(3)],
    ['offset 0x0: expected the magic number of ELF, found 0x0', new Uint8Array(64)],
    ['offset 0x4: expected class 2 (64 bits), found 1', Uint8Array.of(0x7f, 0x45, 0x4c, 0x46, 1, ...Array<number>(59).fill(0))],
    ['offset 0x80: expected a PT_LOAD segment with physical memory, found none', elfOf(new Map())],
  ])('%s', (message, bytes) => {
    expect(() => elfSegments(stored(bytes))).toThrow(`core, ${message}`)
  })
})

describe('debugfs text that is not whole', () => {
  test('without registers no table can be read', () => {
    const [text = ''] = debugfsOf(RECORDED[0] as string).split('### /sys/kernel/debug/iommu/intel/iommu_regset')
    expect(() => readIntelDebugfs(text, 'stdin')).toThrow(/stdin, line \d+: expected the text of iommu_regset beside it/)
  })
  test('of several units one has to be chosen', () => {
    const text = debugfsOf(RECORDED[0] as string)
    const two = `${text}\n${text.replaceAll('dmar0', 'dmar1')}`
    expect(() => readIntelDebugfs(two, 'stdin')).toThrow('stdin, the units: expected one of dmar0, dmar1, found none chosen')
    expect(readIntelDebugfs(two, 'stdin', 'dmar1').devices).toEqual(readIntelDebugfs(text, 'stdin').devices)
  })
})
