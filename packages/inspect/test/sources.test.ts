// The same machine in three forms: its capture, Linux's debugfs text of it, and a memory dump. The answers are the same.
import { readFileSync } from 'node:fs'
import { gunzipSync } from 'node:zlib'
import { describe, expect, test } from 'vitest'
import { inspect, InputError, readDump, readPrinted, walkCapture, withDevicesOfTables } from '../src/index.js'
import type { Capture } from '../src/index.js'
import { createStoredView, elfSegments, rawSegments } from '../src/sources/elf-core.js'
import type { StoredBytes } from '../src/sources/elf-core.js'
import { readIntelDebugfs } from '../src/sources/intel-debugfs.js'
import { isIntelDebugfs } from '../src/sources/kinds.js'
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
    const { outcome, address, permissions, fault, tag, unknown } = walkCapture(capture, question)
    return JSON.stringify({ device, pasid, at: at.toString(16), access, outcome, address, permissions, code: fault?.code, tag, why: unknown?.why })
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
    const dumped: Capture = { ...recorded, view: createStoredView(image, rawSegments(image)) }
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
    const cut = answers(dumped, name).filter((answer) => answer.includes('"unknown"'))
    expect(cut.length).toBeGreaterThan(0)
    for (const answer of cut) {
      expect(answer).toMatch(/"outcome":"unknown".*offset 0x[0-9a-f]+: expected 4096 bytes of memory, found \d+: the file is cut/)
    }
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
    expect(() => readIntelDebugfs('IOVA_PFN         \tPML5E', 'stdin')).toThrow('stdin, the units: expected a table of dmar_translation_struct, found none')
    expect(readIntelDebugfs(two, 'stdin', { unit: 'dmar1' }).devices).toEqual(readIntelDebugfs(text, 'stdin').devices)
  })
})

/** The same numbers every time. */
const createRandom = (seed: number): ((below: number) => number) => {
  let state = seed
  return (below) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0
    return Math.floor((state / 2 ** 32) * below)
  }
}

/** What reads a source may refuse it, and says so in one way; it never fails in another. */
const answersOrRefuses = async (ask: () => unknown): Promise<'answered' | 'refused'> => {
  try {
    await ask()
    return 'answered'
  } catch (error) {
    expect(error).toBeInstanceOf(InputError)
    return 'refused'
  }
}

describe('whatever is handed in', () => {
  const [name = '', scalable = ''] = RECORDED
  test('text that is cut, or has characters changed', { timeout: 60_000 }, async () => {
    const random = createRandom(1)
    const counts = { answered: 0, refused: 0 }
    const amd = readFileSync(new URL('./fixtures/printed/amd-devices.txt', import.meta.url), 'utf8')
    for (const text of [debugfsOf(name), debugfsOf(scalable), amd].map((all) => all.slice(-12_000))) {
      for (let round = 0; round < 60; round++) {
        const at = random(text.length)
        const broken = round % 2 === 0 ? text.slice(0, at) : [...text].map((each) => (random(200) === 0 ? '0x9af:|\n 7'[random(9)] : each)).join('')
        counts[await answersOrRefuses(async () => inspect(await readPrinted(broken, 'text')))]++
      }
    }
    expect(counts.answered).toBeGreaterThan(5)
    expect(counts.refused).toBeGreaterThan(5)
  })
  test('a core whose headers are changed', { timeout: 60_000 }, async () => {
    const random = createRandom(2)
    const recorded = await captureAt(`${OWN}${name}`)
    const whole = elfOf(pagesOf(name))
    const counts = { answered: 0, refused: 0 }
    for (let round = 0; round < 200; round++) {
      const bytes = Uint8Array.from(whole)
      for (let change = 0; change < 3; change++) bytes[random(round % 2 === 0 ? 64 : 20_000)] = random(256)
      const ask = async (): Promise<unknown> =>
        effects({ ...await readDump(stored(bytes), { registers: recorded.registers }), devices: recorded.devices })
      counts[await answersOrRefuses(ask)]++
    }
    expect(counts.answered).toBeGreaterThan(20)
    expect(counts.refused).toBeGreaterThan(20)
  })
  test('a table that leads to itself, for every device', () => answersOrRefuses(async () => {
    const itself: StoredBytes = {
      name: 'itself', size: 2 ** 40,
      read: (_offset, length) => Uint8Array.from({ length }, (_, index) => (index % 8 === 0 ? 0x03 : 0)),
    }
    for (const vendor of ['intel', 'amd']) inspect(withDevicesOfTables(await readDump(itself, { vendor, root: 0x3n })))
  }))
  test('debugfs text of 200 000 lines takes a second or few', { timeout: 30_000 }, async () => {
    const head = debugfsOf(name)
    const line = (page: number): string =>
      `0x${page.toString(16)} |\t0x0\t0x0000000100000003\t0x0000000100001003\t0x0000000100002003\t0x${(page * 4096 + 3).toString(16)}`
    const before = Date.now()
    const rows = Array.from({ length: 200_000 }, (_, index) => line(index))
    await readPrinted(`${head}\nDevice 0000:00:04.0 @0x1000\nIOVA_PFN PML5E\n${rows.join('\n')}`, 'text')
    expect(Date.now() - before).toBeLessThan(15_000)
  })
  test('RAM with a hole: pieces of a raw image by where they lie', () => {
    const file: StoredBytes = { name: 'image', size: 0x5000, read: () => new Uint8Array(0) }
    expect(rawSegments(file, [{ physical: 0x10_0000_0000, offset: 0x2000 }, { physical: 0, offset: 0 }])).toEqual([
      { physical: 0, length: 0x2000, offset: 0, stored: 0x2000 }, { physical: 0x10_0000_0000, length: 0x3000, offset: 0x2000, stored: 0x3000 },
    ])
  })
})

describe('AMD-Vi\'s text of several IOMMUs', () => {
  const row = (bdf: string, low: string, unit: string): string => `${bdf} ${'0'.repeat(16)} ${'0'.repeat(16)} 0000000000000001 ${low} ${unit}`
  const registers = (unit: string, table: string): string => [
    `==> ${unit}/mmio <==`, `Offset:0x0 Value:0x${table.padStart(16, '0')}`, 'Offset:0x18 Value:0x0000000000000001', 'Offset:0x30 Value:0x0000000000000000',
    // PCI configuration space: as many digits as 32 bits have.
    'Offset:0x0 Value:0x1902000f',
  ].join('\n')
  const text = [
    registers('iommu00', '1003'), registers('iommu01', '9003'), 'DeviceId             QWORD[3]         QWORD[2]         QWORD[1]         QWORD[0] iommu',
    row('0000:00:02.0', '6000000000000003', 'iommu0'), row('0001:00:03.0', '0000000000000001', 'iommu1'),
  ].join('\n')
  test('one has to be chosen, and has its own registers and entries', async () => {
    await expect(readPrinted(text, 'text')).rejects.toThrow('text, the units: expected --unit with one of iommu0, iommu1, found none chosen')
    await expect(readPrinted(text, 'text', { unit: 'iommu7' })).rejects.toThrow('found "iommu7"')
    const [first, second] = [inspect(await readPrinted(text, 'text', { unit: 'iommu0' })), inspect(await readPrinted(text, 'text', { unit: 'iommu01' }))]
    expect([first.rootTable, first.devices.map(({ bdf, effect }) => [bdf, effect])]).toEqual(['0x1000', [['0000:00:02.0', 'identity']]])
    expect([second.rootTable, second.devices.map(({ bdf, effect }) => [bdf, effect])]).toEqual(['0x9000', [['0001:00:03.0', 'blocked']]])
  })
  test('an entry behind the end of the table is refused', async () => {
    const small = text.replace('0000000000001003', '0000000000001000').replace('0000:00:02.0', '0000:20:02.0')
    await expect(readPrinted(small, 'text', { unit: 'iommu0' })).rejects.toThrow('the entry of 0000:20:02.0: expected a device id below 0x80')
  })
})

describe('segments of a core', () => {
  const segments = (headers: readonly (readonly [physical: bigint, length: number, offset: number])[]): Uint8Array => {
    const file = new Uint8Array(4 * PAGE).fill(0x11, PAGE, 2 * PAGE).fill(0x22, 2 * PAGE, 3 * PAGE).fill(0x33, 3 * PAGE)
    const view = new DataView(file.buffer)
    file.set([0x7f, 0x45, 0x4c, 0x46, 2, 1, 1])
    view.setBigUint64(32, 64n, true)
    view.setUint16(54, 56, true)
    view.setUint16(56, headers.length, true)
    headers.forEach(([physical, length, offset], index) => {
      const at = 64 + index * 56
      view.setUint32(at, 1, true)
      view.setBigUint64(at + 8, BigInt(offset), true)
      view.setBigUint64(at + 24, physical, true)
      view.setBigUint64(at + 32, BigInt(length), true)
      view.setBigUint64(at + 40, BigInt(length), true)
    })
    return file
  }
  test('that lie in one another are found, and one without a physical address is none', () => {
    // As kdump has them: all of memory, the kernel's text within it, and /proc/kcore's areas that are nowhere.
    const file = stored(segments([[0x10000n, 3 * PAGE, PAGE], [0x11000n, 16, 2 * PAGE], [2n ** 64n - 1n, PAGE, 0]]))
    const found = elfSegments(file)
    expect(found).toHaveLength(2)
    const view = createStoredView(file, found)
    expect([0x10000n, 0x11000n, 0x11800n, 0x12000n].map((at) => view.load64(at) & 0xffn)).toEqual([0x11n, 0x22n, 0x22n, 0x33n])
    expect(() => view.load64(0x13000n)).toThrow('physical address 0x13000')
  })
})
