// One machine in several forms gives one set of answers: capture, debugfs text, ELF core, raw image. And what is refused, and how.
import { closeSync, cpSync, existsSync, ftruncateSync, mkdirSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync, writeSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { brotliDecompressSync } from 'node:zlib'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { VECTOR_VENDORS, vectorsOf } from '../src/vector-files.js'
import { capture, fits, iommu, json } from './command.js'
import { recordedPages, writeImage } from './dumped.js'
import { AMD, debugfsFiles, debugfsOf, DUMPED, fixture, PASIDS, QUESTIONS, sameAnswers } from './source-tools.js'

const folder = mkdtempSync(join(tmpdir(), 'iommu-sources-'))
afterAll(() => rmSync(folder, { recursive: true }))
const at = (name: string): string => join(folder, name)
const PAGE = 4096

/** Writes a file without its zeros: dumps are sparse. */
const writeSparse = (name: string, bytes: Uint8Array): string => {
  const handle = openSync(at(name), 'w')
  ftruncateSync(handle, bytes.length)
  for (let offset = 0; offset < bytes.length; offset += PAGE) {
    const page = bytes.subarray(offset, offset + PAGE)
    if (page.some((byte) => byte !== 0)) writeSync(handle, page, 0, page.length, offset)
  }
  closeSync(handle)
  return at(name)
}

const registersOf = (name: string): readonly string[] => ['--registers', join(capture(name), 'registers.json')]

describe('an ELF core that QEMU wrote', () => {
  beforeAll(() => void writeSparse('core', brotliDecompressSync(readFileSync(fixture(`dump/${DUMPED}.core.br`)))))

  test('gives the answers of the capture, with the registers of the capture', async () => {
    await sameAnswers(capture(DUMPED), [at('core'), ...registersOf(DUMPED)], QUESTIONS[DUMPED] ?? [])
  })

  test('with the vendor and the root alone, and says what it takes for granted', async () => {
    const root = ['--vendor', 'intel', '--root', '0x3475000']
    await sameAnswers(capture(DUMPED), [at('core'), ...root], QUESTIONS[DUMPED] ?? [])
    const { stderr, stdout, code } = await iommu(['inspect', at('core'), ...root])
    expect(code).toBe(0)
    expect(stderr).toBe('iommu inspect: nobody says CAP, ECAP, GSTS: taken is hardware that translates from RTADDR 0x3475000 and can do everything that the architecture has\n')
    expect(stdout.split('\n').slice(0, 3).join('\n')).toMatchInlineSnapshot(`
      "intel, legacy mode, root table at 0x3475000, 11 devices in its tables
        00:00.0  translated  Context entry at 0x347c000: second stage at 0x347b000,
                             4-level, domain 2"
    `)
    expect(fits(stdout)).toEqual([])
    const { devices } = await json(['inspect', capture(DUMPED)]) as unknown as { devices: { bdf: string; effect: string }[] }
    for (const { bdf, effect } of devices) expect(stdout.includes(` ${bdf.slice(5)} `)).toBe(effect !== 'blocked')
  })

  test('a bit that differs is seen', async () => {
    const bytes = brotliDecompressSync(readFileSync(fixture(`dump/${DUMPED}.core.br`)))
    // PT_LOAD of memory from 1 MiB on begins at 0x100480: the context entry of 00:04.0 loses its P.
    const entry = 0x347c200 - 0x100000 + 0x100480
    expect((bytes[entry] as number) & 1).toBe(1)
    bytes[entry] = (bytes[entry] as number) & ~1
    const file = writeSparse('bit', bytes)
    await expect(sameAnswers(capture(DUMPED), [file, ...registersOf(DUMPED)], QUESTIONS[DUMPED] ?? [])).rejects.toThrow('to deeply equal')
  })

  test('walks any device, listed or not', async () => {
    const { stdout } = await iommu(['walk', at('core'), ...registersOf(DUMPED), '--rid', '00:0a.0', '--iova', '0x1000'])
    expect(stdout).toContain('blocked: 0x02 the context entry is not present')
  })
})

/** An ELF core of one segment, as large as it says and as small as its pages. */
const writeCore = (name: string, bytes: number, pages: ReadonlyMap<number, Uint8Array>): string => {
  const header = new Uint8Array(PAGE)
  const view = new DataView(header.buffer)
  header.set([0x7f, 0x45, 0x4c, 0x46, 2, 1, 1])
  view.setUint16(16, 4, true)
  view.setBigUint64(32, 64n, true)
  view.setUint16(54, 56, true)
  view.setUint16(56, 1, true)
  view.setUint32(64, 1, true)
  view.setBigUint64(64 + 8, BigInt(PAGE), true)
  view.setBigUint64(64 + 32, BigInt(bytes), true)
  view.setBigUint64(64 + 40, BigInt(bytes), true)
  writeImage(at(name), bytes + PAGE, -PAGE, pages)
  const handle = openSync(at(name), 'r+')
  writeSync(handle, header, 0, PAGE, 0)
  closeSync(handle)
  return at(name)
}

describe('dumps of 96 GiB', () => {
  const SIZE = 96 * 2 ** 30
  const read = (): number => Number(/^rchar: (\d+)$/m.exec(readFileSync('/proc/self/io', 'utf8'))?.[1])

  test.each([
    ['an ELF core', () => writeCore('large-core', SIZE, recordedPages(capture(PASIDS)))],
    ['a raw image', () => {
      writeImage(at('large-raw'), SIZE, 0, recordedPages(capture(PASIDS)))
      return at('large-raw')
    }],
  ])('%s is read where it is asked, and nowhere else', async (_what, write) => {
    const file = write()
    const counted = existsSync('/proc/self/io')
    const before = { memory: process.memoryUsage().rss, read: counted ? read() : 0, at: Date.now() }
    await sameAnswers(capture(PASIDS), [file, ...registersOf(PASIDS)], QUESTIONS[PASIDS] ?? [])
    // The recording is read each time too; 96 GiB would be three orders above.
    expect((counted ? read() : 0) - before.read).toBeLessThan(100 * 2 ** 20)
    expect(process.memoryUsage().rss - before.memory).toBeLessThan(400 * 2 ** 20)
    expect(Date.now() - before.at).toBeLessThan(20_000)
  })
})

describe('a raw image', () => {
  test('of a machine whose memory does not begin at 0', async () => {
    const name = 'arm-7.3.4-stage1-edu-faulted-pending'
    writeImage(at('arm'), 256 * 2 ** 20, 0x4000_0000, recordedPages(capture(name)))
    const questions = [{ rid: '00:04.0', iovas: ['0x40212340', '0x102008', '0xdead000'] }]
    await sameAnswers(capture(name), [at('arm'), '--base', '0x40000000', ...registersOf(name)], questions)
    const { registers } = JSON.parse(readFileSync(join(capture(name), 'registers.json'), 'utf8')) as { registers: { name: string; value: string }[] }
    const value = (wanted: string): string => registers.find((each) => each.name === wanted)?.value ?? ''
    const rooted = ['--base', '0x40000000', '--vendor', 'arm', '--root', value('STRTAB_BASE'), '--register', `STRTAB_BASE_CFG=${value('STRTAB_BASE_CFG')}`]
    await sameAnswers(capture(name), [at('arm'), ...rooted], questions, { whole: false })
  })

  test('of a machine in scalable mode, by the value of RTADDR or by its address and the mode', async () => {
    writeImage(at('scalable'), 128 * 2 ** 20, 0, recordedPages(capture(PASIDS)))
    const image = [at('scalable'), '--base', '0x0', '--vendor', 'vtd']
    await sameAnswers(capture(PASIDS), [...image, '--root', '0x3432400'], QUESTIONS[PASIDS] ?? [])
    await sameAnswers(capture(PASIDS), [...image, '--root', '0x3432000', '--mode', 'scalable'], QUESTIONS[PASIDS] ?? [])
    // As legacy tables they are something else, which is what --mode is for.
    await expect(sameAnswers(capture(PASIDS), [...image, '--root', '0x3432000'], QUESTIONS[PASIDS] ?? [])).rejects.toThrow('to deeply equal')
  })

  test('with a hole: one part below 4 GiB and one above', async () => {
    const pages = recordedPages(capture(DUMPED))
    const hole = 0x100_0000
    const moved = new Map([...pages].map(([address, page]) => [address < hole ? address : address + 0x1000, page] as const))
    writeImage(at('hole'), 80 * 2 ** 20, 0, moved)
    await sameAnswers(capture(DUMPED), [at('hole'), '--base', '0x0', '--base', '0x1000000@0x1001000', ...registersOf(DUMPED)], QUESTIONS[DUMPED] ?? [])
  })
})

describe('the golden vectors of walks, as raw images', () => {
  interface Given {
    readonly registers: Readonly<Record<string, string>>
    readonly memory: Readonly<Record<string, string>>
    readonly requesterId: string
    readonly iova: string
    readonly access: string
    readonly pasid?: number
  }
  const FEW = 8
  const walks = VECTOR_VENDORS.flatMap((vendor) => vectorsOf(vendor).filter(({ kind }) => kind === 'walk').slice(0, FEW))
  test.each(walks)('$id: $says', async ({ given, result }) => {
    const { registers, memory, requesterId, iova, access, pasid } = given as unknown as Given
    const pages = new Map<number, Buffer>()
    for (const [address, word] of Object.entries(memory)) {
      const frame = Math.floor(Number(address) / PAGE) * PAGE
      const page = pages.get(frame) ?? Buffer.alloc(PAGE)
      page.writeBigUInt64LE(BigInt(word), Number(address) - frame)
      pages.set(frame, page)
    }
    writeImage(at('vector'), 2 * 2 ** 30, 0, pages)
    const { results } = await json([
      'walk', at('vector'), ...Object.entries(registers).flatMap(([name, value]) => ['--register', `${name}=${value}`]), '--rid', requesterId,
      '--iova', iova, ...(access === 'write' ? ['--write'] : []), ...(pasid === undefined ? [] : ['--pasid', String(pasid)]),
    ]) as { readonly results: readonly { outcome: string; address?: string; fault?: { code: number } }[] }
    const { outcome, address, code } = result as { outcome: string; address?: string; code?: string }
    expect(results[0]?.outcome).toBe(outcome)
    expect(results[0]?.address).toBe(address)
    expect(results[0]?.fault?.code).toBe(code === undefined ? undefined : Number(code))
  })
})

describe('debugfs text of VT-d', () => {
  test.each([DUMPED, PASIDS])('%s: on standard input, in a file, in a folder', async (name) => {
    const text = debugfsOf(capture(name), 'intel')
    const questions = QUESTIONS[name] ?? []
    await sameAnswers(capture(name), ['-'], questions, { input: text, whole: false })
    writeFileSync(at('text'), text)
    await sameAnswers(capture(name), [at('text')], questions, { whole: false })
    for (const each of debugfsFiles(capture(name), 'intel')) {
      const file = join(folder, name, each.name.replace('/sys/kernel/debug/iommu/', ''))
      mkdirSync(dirname(file), { recursive: true })
      writeFileSync(file, each.text)
    }
    await sameAnswers(capture(name), [join(folder, name)], questions, { whole: false })
  })

  test('devices are named as the text names them', async () => {
    const { stdout } = await iommu(['inspect', '-'], debugfsOf(capture(PASIDS), 'intel'))
    expect(stdout.split('\n').slice(0, 3).join('\n')).toMatchInlineSnapshot(`
      "intel, scalable mode, root table at 0x3432000, 11 devices in its tables
        00:00.0  translated  PASID table entry: PASID 0x0: second stage at 0x3540000,
                             4-level, domain 2"
    `)
    expect(fits(stdout)).toEqual([])
  })

  test('PASID directories are not in the text: their place and words are not told, nor which entry is absent', async () => {
    const text = debugfsOf(capture(PASIDS), 'intel')
    const { stdout } = await iommu(['walk', '-', '--rid', '00:02.0', '--pasid', '1000', '--iova', '0x10300010'], text)
    expect(stdout).toMatchInlineSnapshot(`
      "0000:00:02.0 PASID 1000, read of 0x10300010
        vtd.sm-root at 0x3432000: bus 0x0, lower half: context table
            0x0000000003434001 0x0000000003529001
        vtd.sm-context at 0x3434200: PASID directory at 0x3437000, 512 entries
            0x0000000003437401
        vtd.pasid-dir at 0x3437078: PASID table (not shown by the source)
        vtd.pasid: PASID 0x3e8: second stage at 0x369f000, 4-level, domain 12
            0x000000000369f089 0x000000000000000c
        vtd.ss at 0x369f000: level 4: table
            0x0000000003bb7403
        vtd.ss at 0x3bb7000: level 3: table
            0x00000000036a7403
        vtd.ss at 0x36a7408: level 2: table
            0x0000000003d0a403
        vtd.ss at 0x3d0a800: level 1: leaf
            0x0000000003d72001
        ! the context entry has PASIDE=0: by the architecture requests with PASID are
          refused (reason 0x45); walked as if it were 1
        translated to 0x3d72010, read, 4 KiB page, domain 12
      "
    `)
    const absent = await iommu(['walk', '-', '--rid', '00:02.0', '--pasid', '64', '--iova', '0x10300010'], text)
    expect(absent.stdout.replaceAll(/\s+/g, ' ')).toContain('(the source does not show this table: the entry behind it may be the absent one)')
    const inspected = await iommu(['inspect', '-', '--rid', '00:02.0'], text)
    expect(inspected.stdout).toContain('1000   translated  PASID table entry: PASID 0x3e8: second stage')
  })

  test('what the text leaves out is not made up', async () => {
    const files = debugfsFiles(capture(DUMPED), 'intel').filter(({ name }) => !name.includes('0000:00:04.0'))
    const { code, stderr } = await iommu(['walk', '-', '--rid', '00:04.0', '--iova', '0x102008'], files.map(({ text }) => text).join('\n'))
    expect(code).toBe(2)
    expect(stderr).toMatch(/^iommu walk: standard input, address 0x[0-9a-f]+: expected a table that the text prints, since a table leads there/)
    const registers = files.filter(({ name }) => name.endsWith('iommu_regset'))
    const alone = await iommu(['inspect', '-', '--rid', '00:04.0'], registers.map(({ text }) => text).join('\n'))
    expect(alone.stderr).toContain('expected a table that the text prints')
  })

  test('registers may come from elsewhere', async () => {
    const files = debugfsFiles(capture(DUMPED), 'intel')
    const tables = files.filter(({ name }) => !name.endsWith('iommu_regset')).map(({ text }) => text).join('\n')
    writeFileSync(at('regset'), files.find(({ name }) => name.endsWith('iommu_regset'))?.text ?? '')
    await sameAnswers(capture(DUMPED), ['-', '--registers', at('regset')], QUESTIONS[DUMPED] ?? [], { input: tables, whole: false })
    const { code, stderr } = await iommu(['inspect', '-'], tables)
    expect(code).toBe(2)
    expect(stderr).toContain('the text of iommu_regset beside it: without registers no table can be read. Missing: CAP, ECAP, GSTS, RTADDR')
  })
})

describe('debugfs text of AMD-Vi', () => {
  const text = debugfsOf(AMD, 'amd')

  test('gives every device the effect of the capture, from the same entry', async () => {
    await sameAnswers(AMD, ['-'], [{ rid: '00:02.0', iovas: ['0x1000', '0xffffffff'] }], { input: text })
    const { stdout } = await iommu(['inspect', '-'], text)
    expect(stdout.split('\n').slice(0, 3).join('\n')).toMatchInlineSnapshot(`
      "amd, device table at 0x57c000, 11 devices in its tables
        01:00.0  translated  Device table entry at 0x57e000: host tables at 0x3287000,
                             3-level, domain 8"
    `)
  })

  test('a walk goes as far as the text: no page tables', async () => {
    const { code, stderr } = await iommu(['walk', '-', '--rid', '00:03.0', '--iova', '0x1000'], text)
    expect(code).toBe(2)
    expect(stderr).toContain('expected an entry that the text prints (devtbl prints one device\'s, and no page tables)')
  })

  test('registers that nobody read can be given', async () => {
    const [table] = text.split('## /sys')
    const { stderr } = await iommu(['inspect', '-'], table)
    expect(stderr).toBe('iommu inspect: standard input, the registers: expected the text of iommu0/mmio for each of CONTROL, DEVTAB_BASE, EFR '
      + '(--registers FILE, --register CONTROL=0x..., or --root for hardware that can do everything), found none\n')
    await sameAnswers(AMD, ['-', '--root', '0x57c003'], [], { input: table ?? '' })
  })
})

describe('memory alone', () => {
  const devicesOf = async (args: readonly string[]): Promise<string[]> =>
    (await json(['inspect', ...args]) as { devices: { bdf: string }[] }).devices.map(({ bdf }) => bdf.replace(/^0000:/, ''))

  // The device table ends long before the requester ids do.
  test('AMD-Vi: the devices are those of the machine, and nobody asks whether it is the right root', async () => {
    const recording = capture('amd-7.3.4-v1-edu-faulted-pending')
    writeImage(at('amd.raw'), 0x1000_0000, 0, recordedPages(recording))
    const source = [at('amd.raw'), '--registers', join(recording, 'registers.json')]
    expect(await devicesOf(source)).toEqual(await devicesOf([recording]))
    expect((await iommu(['inspect', ...source])).stderr).toBe('')
  })

  test('a dump that was cut: what is whole is told, and what is left out too', async () => {
    const recording = capture('intel-7.3.4-legacy-edu-vfio')
    // The context table of bus 1, and all that lies above it.
    const end = 0x1d6_3000
    writeImage(at('cut.raw'), end, 0, new Map([...recordedPages(recording)].filter(([address]) => address < end)))
    const source = [at('cut.raw'), '--registers', join(recording, 'registers.json')]
    const all = await devicesOf([recording])
    expect(all.at(-1)).toBe('01:00.0')
    expect(await devicesOf(source)).toEqual(all.slice(0, -1))
    expect((await iommu(['inspect', ...source])).stderr).toBe(`iommu inspect: 256 requester ids are left out, whose tables are not whole: ${at('cut.raw')}, `
      + 'physical address 0x1d63000: expected memory, since a table points there, found none in the file\n')
    expect(await iommu(['inspect', ...source, '--rid', '01:00.0'])).toMatchObject({ code: 2, stdout: '' })
  })
})

describe('what is no source is refused in one sentence', () => {
  const text = (name: string, content: string | Uint8Array): string => {
    writeFileSync(at(name), content)
    return at(name)
  }
  const kdump = Uint8Array.from(Buffer.from('KDUMP   \0\0\0\0'))
  test.each<readonly [string, readonly string[], string]>([
    ['a file that is not there', ['/nowhere/at/all'], '/nowhere/at/all, the source: expected a capture folder, or a file that can be read, found no such file'],
    ['a log', [text('log', 'DMAR: DRHD: handling fault status reg 2\n')], 'found another text'],
    ['bytes', [text('bytes', new Uint8Array(PAGE))], 'or, for a raw image of memory, --vendor and --root, or --registers, found bytes of another kind'],
    ['a compressed dump', [text('kdump', kdump), '--vendor', 'intel', '--root', '0x1000'], 'found a kdump-compressed dump; dump-guest-memory without -z and makedumpfile -E write ELF'],
    ['an empty folder', [mkdtempSync(join(folder, 'empty-'))], 'found neither'],
    ['a vendor that nobody knows', [text('b2', new Uint8Array(PAGE)), '--vendor', 'acme', '--root', '0x1000'], 'the arguments, --vendor: expected one of intel, amd, arm, riscv, found "acme"'],
    ['an SMMU without the format of its table', [text('b3', new Uint8Array(PAGE)), '--vendor', 'arm', '--root', '0x1000'], 'what a dump of memory has not: STRTAB_BASE_CFG'],
    ['a mode that AMD-Vi has not', [text('b4', new Uint8Array(PAGE)), '--vendor', 'amd', '--root', '0x1000', '--mode', 'legacy'], '--mode: expected none: DEVTAB_BASE and the tables say it, found "legacy"'],
    ['a root outside of the image', [text('b5', new Uint8Array(PAGE)), '--vendor', 'intel', '--root', '0x10000000'], 'physical address 0x10000000: expected memory, since a table points there, found none in the file'],
    ['a RISC-V IOMMU without its capabilities, which --root does not give', [text('b8', new Uint8Array(PAGE)), '--vendor', 'riscv', '--root', '0x402'],
      'what a dump of memory has not: capabilities (--registers FILE, or --register capabilities=0x...), found none'],
    ['a register that is too wide', [text('b7', new Uint8Array(PAGE)), '--vendor', 'intel', '--root', '0x0', '--register', 'GSTS=0x1c0000000'], 'register GSTS: expected a number of 32 bits, found 0x1c0000000'],
    ['a register that is none', [text('b6', new Uint8Array(PAGE)), '--register', 'RTADDR'], '--register: expected NAME=VALUE, such as RTADDR=0x1d12000, found "RTADDR"'],
    ['a base for text', ['-', '--base', '0'], '--base is for a raw image'],
    ['text of another kind on standard input', ['-'], 'standard input, line 1: expected Linux\'s debugfs text'],
  ])('%s', async (_what, source, message) => {
    const { code, stdout, stderr } = await iommu(['inspect', ...source], 'hello')
    expect(stderr).toContain(message)
    expect({ code, stdout, lines: stderr.trim().split('\n').length }).toEqual({ code: 2, stdout: '', lines: 1 })
  })

  test.skipIf(!existsSync('/proc/self/mem'))('a file that the system does not let be read', async () => {
    const { code, stderr } = await iommu(['inspect', '/proc/self/mem'])
    expect([code, stderr]).toEqual([2, 'iommu inspect: /proc/self/mem, offset 0x0: expected bytes that can be read, found an error (EIO)\n'])
    expect(await iommu(['explain', '/proc/self/mem'])).toMatchObject({ code: 2, stderr: 'iommu explain: /proc/self/mem, the file: expected a log, or - for standard input, found an error (EIO)\n' })
  })

  test('a capture folder with another root', async () => {
    cpSync(capture(DUMPED), at('copy'), { recursive: true })
    const { stderr } = await iommu(['inspect', at('copy'), '--root', '0x1000'])
    expect(stderr).toContain('page 0x1000: expected a recorded page')
  })
})
