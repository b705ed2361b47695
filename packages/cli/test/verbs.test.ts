// What each verb writes, in whole: these are the screens that people see.
import { cpSync, mkdtempSync, rmSync, truncateSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { capture, iommu, json } from './command.js'

const legacy = capture('intel-7.3.4-legacy-edu-vfio')
const pasids = capture('intel-7.3.4dbg-scalable-pasid-secondstage-pasid')
const blocked = capture('intel-7.3.4-legacy-edu-blocked')

const fits = (text: string): string[] => text.split('\n').filter((line) => [...line].length > 80)

describe('decode', () => {
  test('the block', async () => {
    const { code, stdout } = await iommu(['decode', 'vtd.context', '0x502:0x4857001'])
    expect(code).toBe(0)
    expect(stdout).toMatchInlineSnapshot(`
      "Context entry · 128 bits  vtd:9.3?
            0  P        1          Present
            1  FPD      0          Fault Processing Disable
          3:2  TT       0          second stage (Translation Type)
        63:12  SSPTPTR  0x4857000  Second-stage Page-table Pointer
        66:64  AW       2          48-bit, 4-level (Address Width)
        87:72  DID      5          Domain Identifier
      reserved  all zero
      "
    `)
  })

  test('a reserved bit is shouted at, an unknown value is named', async () => {
    expect((await iommu(['decode', 'vtd.pasid', '0xdc1', '--line'])).stdout).toMatchInlineSnapshot(`
      "P+ FPD- AW=0!unknown SSEE- PGTT=7!unknown SSADE- SSPTPTR=0x0 DID=0 PWSNP- PGSNP- CD- EMTE- EMT=0 PWT- PCD- PAT=0 SRE- ERE- FSPM=4-level WPE- NXE- SMEP- EAFE- FSPTPTR=0x0 !reserved[11:10]=0x3
      "
    `)
  })

  test('bits', async () =>
    expect((await iommu(['decode', 'vtd.gsts', 'c7000000', '--bits'])).stdout).toMatchInlineSnapshot(`
    "Global status register
       31:0  c700_0000
             11000111 00000000 00000000 00000000
                  31  TES 1
                  30  RTPS 1
                  29  FLS 0
                  28  AFLS 0
                  27  WBFS 0
                  26  QIES 1
                  25  IRES 1
                  24  IRTPS 1
                  23  CFIS 0
    reserved  all zero
    "
  `))

  test('--json', async () => {
    const { fields, ...rest } = await json(['decode', 'vtd.qi.device-tlb', '0x00000110001f0003', '0x7ffffffffffff001'])
    expect(rest).toEqual({
      schema: 'iommu.decode/1', entry: 'vtd.qi.device-tlb', title: 'Device-TLB invalidate', section: 'vtd:6.5.2.5?',
      words: ['0x00000110001f0003', '0x7ffffffffffff001'], reserved: [],
    })
    expect(fields).toContainEqual({
      name: 'PFSID',
      title: 'Physical-function Source Identifier',
      high: 63,
      low: 12,
      runs: [
        [63, 52],
        [15, 12],
      ],
      value: '0x0',
      section: 'vtd:6.5.2.5?',
      confirmedBy: ['linux'],
    })
    expect(fields).toContainEqual(
      expect.objectContaining({ name: 'ADDR', high: 127, low: 76, value: '0x7ffffffffffff000' }),
    )
  })

  test('--set prints the new words and the view of them', async () => {
    const { stdout } = await iommu([
      'decode',
      'vtd.context',
      '0x4857001',
      '0x502',
      '--set',
      'P=0',
      '--set',
      'DID=7',
      '--line',
    ])
    expect(stdout).toBe('0x4857000 0x702\nP- FPD- TT=second stage SSPTPTR=0x4857000 AW=48-bit, 4-level DID=7\n')
  })

  test('words from standard input', async () => {
    expect((await iommu(['decode', 'vtd.pasid-dir', '-', '--line'], '0x3546001\n')).stdout).toBe(
      'P+ FPD- SMPTBLPTR=0x3546000\n',
    )
  })

  test('fewer words than the entry has', async () => {
    expect((await iommu(['decode', 'vtd.pasid', '0:0x800002:0x1038a5089'])).stdout).toContain('(3 of 8 words given)')
    expect(await json(['decode', 'vtd.pasid', '0:0x800002:0x1038a5089'])).toMatchObject({ given: 3 })
  })

  test.each(['vtd.pasid', 'vtd.cap', 'vtd.ecap', 'vtd.ss', 'vtd.qi.iotlb', 'vtd.frcd'])(
    '%s fits 80 columns',
    async (name) => {
      for (const view of [[], ['--bits']]) {
        const { code, stdout } = await iommu(['decode', name, 'ffffffffffffffff', ...view])
        expect(code).toBe(0)
        expect(fits(stdout)).toEqual([])
      }
    },
  )
})

describe('encode', () => {
  test('the words first, then what they mean', async () => {
    const { code, stdout } = await iommu(['encode', 'vtd.context', 'P=1', 'TT=pass-through', 'AW=2', 'DID=1', '--line'])
    expect({ code, stdout }).toEqual({
      code: 0,
      stdout: '0x9 0x102\nP+ FPD- TT=pass-through SSPTPTR=0x0 AW=48-bit, 4-level DID=1\n',
    })
  })

  test('its words decoded are the same words', async () => {
    const { words } = (await json([
      'encode',
      'vtd.pasid',
      'P=1',
      'PGTT=2',
      'AW=2',
      'SSPTPTR=0x123456000',
      'DID=5',
      'PWSNP=1',
    ])) as { words: string[] }
    expect(words.slice(0, 2)).toEqual(['0x0000000123456089', '0x0000000000800005'])
    expect(await json(['decode', 'vtd.pasid', ...words])).toMatchObject({ words })
  })
})

describe('inspect', () => {
  test('devices, effects and where they are written', async () => {
    const { code, stdout } = await iommu(['inspect', blocked])
    expect(code).toBe(0)
    expect(stdout).toMatchInlineSnapshot(`
      "intel, legacy mode, root table at 0x1d12000, 11 devices
        00:00.0  translated  Context entry at 0x1d1a000: second stage at 0x1d19000,
                             4-level, domain 2
        00:02.0  translated  Context entry at 0x1d1a100: second stage at 0x1d2b000,
                             4-level, domain 3
        00:03.0  translated  Context entry at 0x1d1a180: second stage at 0x1d30000,
                             4-level, domain 4
        00:04.0  blocked     Context entry at 0x1d1a200: not present (reason 0x02)
        00:05.0  translated  Context entry at 0x1d1a280: second stage at 0x1d46000,
                             4-level, domain 6
        00:06.0  translated  Context entry at 0x1d1a300: second stage at 0x1d49000,
                             4-level, domain 7
        00:07.0  translated  Context entry at 0x1d1a380: second stage at 0x1d56000,
                             4-level, domain 8
        00:1f.0  translated  Context entry at 0x1d1af80: second stage at 0x1d59000,
                             4-level, domain 9
        00:1f.2  translated  Context entry at 0x1d1afa0: second stage at 0x1d59000,
                             4-level, domain 9
        00:1f.3  translated  Context entry at 0x1d1afb0: second stage at 0x1d59000,
                             4-level, domain 9
        01:00.0  translated  Context entry at 0x1d63000: second stage at 0x1d62000,
                             4-level, domain 10
      "
    `)
    expect(fits(stdout)).toEqual([])
  })

  test('PASIDs', async () => {
    const { stdout } = await iommu(['inspect', pasids])
    expect(stdout.split('\n').slice(3, 12).join('\n')).toMatchInlineSnapshot(`
      "  00:02.0  translated  PASID table entry at 0x3546000: PASID 0x0: second stage
                             at 0x3545000, 4-level, domain 3
        ! the context entry has PASIDE=0: by the architecture requests with PASID are
          refused (reason 0x45); the entries below are what it keeps from use
          1      translated  PASID table entry at 0x3546040: PASID 0x1: second stage
                             at 0x3da3000, 4-level, domain 10
          5      translated  PASID table entry at 0x3546140: PASID 0x5: second stage
                             at 0x36a6000, 4-level, domain 11
          1000   translated  PASID table entry at 0x36dea00: PASID 0x3e8: second stage"
    `)
  })

  test('a fault that nobody has read', async () => {
    const { stdout } = await iommu(['inspect', capture('intel-7.3.4-legacy-dma-faulted-pending')])
    expect(stdout).toContain('fault waiting  00:06.0, write of 0x177654000: 0x05')
  })

  test('--json', async () => {
    expect(await json(['inspect', pasids])).toMatchObject({
      schema: 'iommu.inspect/1',
      platform: 'intel',
      mode: 'scalable',
      devices: expect.arrayContaining([
        expect.objectContaining({
          bdf: '0000:00:02.0',
          requesterId: '0x10',
          effect: 'translated',
          domainId: 3,
          pasids: [1, 5, 1000].map((pasid, index) =>
            expect.objectContaining({ pasid, effect: 'translated', domainId: 10 + index }),
          ),
        }),
      ]),
    })
  })
})

describe('a capture folder', () => {
  const FILES = ['meta.json', 'registers.json', 'tables.json', 'tables.bin']
  const copy = (): string => {
    const folder = mkdtempSync(join(tmpdir(), 'iommu-'))
    for (const file of FILES) cpSync(join(pasids, file), join(folder, file))
    return folder
  }

  test('with its four files alone gives the same answers', async () => {
    const folder = copy()
    expect(await iommu(['inspect', folder])).toEqual(await iommu(['inspect', pasids]))
    const question = ['--rid', '00:02.0', '--pasid', '1', '--iova', '0x10000000', '--json']
    expect(await iommu(['walk', folder, ...question])).toEqual(await iommu(['walk', pasids, ...question]))
    rmSync(folder, { recursive: true })
  })

  test.each([
    ['tables.bin', 'tables.json, pages.0x570000: expected an offset below 0 (tables.bin has 100 bytes), found 0'],
    ['meta.json', 'meta.json, line 4, column 17: expected a closing quote, found the end of the file'],
    ['registers.json', 'registers.json, line '],
    ['tables.json', 'tables.json, line 1, column 101: expected'],
  ])('with %s cut off after 100 bytes is refused in one sentence', async (file, message) => {
    const folder = copy()
    truncateSync(join(folder, file), 100)
    const { code, stdout, stderr } = await iommu(['inspect', folder])
    expect(stderr).toContain(message)
    expect({ code, stdout, lines: stderr.trim().split('\n').length }).toEqual({ code: 2, stdout: '', lines: 1 })
    rmSync(folder, { recursive: true })
  })
})

describe('walk', () => {
  test('a DMA that passes', async () => {
    const { code, stdout } = await iommu(['walk', legacy, '--rid', '00:04.0', '--iova', '0x40212340'])
    expect(code).toBe(0)
    expect(stdout).toMatchInlineSnapshot(`
      "0000:00:04.0, read of 0x40212340
        vtd.root at 0x1d12000: bus 0x0: context table
            0x0000000001d1a001
        vtd.context at 0x1d1a200: second stage at 0x4857000, 4-level, domain 5
            0x0000000004857001 0x0000000000000502
        vtd.ss at 0x4857000: level 4: table
            0x00000000048b9403
        vtd.ss at 0x48b9008: level 3: table
            0x0000000004969403
        vtd.ss at 0x4969008: level 2: leaf
            0x0000000003600083
        translated to 0x3612340, read and write, 2 MiB page, domain 5
      "
    `)
    expect(fits(stdout)).toEqual([])
  })

  test('a DMA that stops', async () => {
    const { code, stdout } = await iommu(['walk', blocked, '--rid', '0000:00:04.0', '--iova', '1000', '--write'])
    expect(code).toBe(0)
    expect(stdout).toMatchInlineSnapshot(`
      "0000:00:04.0, write of 0x1000
        vtd.root at 0x1d12000: bus 0x0: context table
            0x0000000001d1a001
        vtd.context at 0x1d1a200: not present
            0x0000000000000000
        blocked: 0x02 the context entry is not present
      "
    `)
  })

  test('a PASID whose context entry does not let it through yet', async () => {
    const { stdout } = await iommu(['walk', pasids, '--rid', '00:02.0', '--pasid', '0x3e8', '--iova', '0x10300010'])
    expect(stdout).toContain('! the context entry has PASIDE=0')
    expect(stdout).toContain('translated to 0x3d72010, read, 4 KiB page, domain 12')
    expect(fits(stdout)).toEqual([])
  })

  test('--json, several addresses, by requester id', async () => {
    const args = ['walk', legacy, '--rid', '0x20', '--iova', '0x102008', '--iova', '0x7f00001abc', '--iova', '0x1000']
    const { results, ...rest } = await json(args) as { results: { steps: unknown[] }[] }
    expect(rest).toEqual({ schema: 'iommu.walk/1', device: '0000:00:04.0', requesterId: '0x20' })
    expect(results).toMatchObject([
      {
        iova: '0x102008',
        outcome: 'translated',
        address: '0xd5e1008',
        permissions: { read: true, write: true },
        pageSize: '0x1000',
      },
      { iova: '0x7f00001abc', outcome: 'translated', address: '0xf55cabc' },
      { iova: '0x1000', outcome: 'blocked', fault: { code: 6 } },
    ])
    expect(results[0]?.steps[1]).toEqual({
      entry: 'vtd.context', address: '0x1d1a200', words: ['0x0000000004857001', '0x0000000000000502'],
      note: 'second stage at 0x4857000, 4-level, domain 5',
    })
  })

  test('addresses from standard input', async () => {
    const { results } = JSON.parse(
      (
        await iommu(
          ['walk', legacy, '--rid', '00:04.0', '--iova', '-', '--json'],
          '# pages\n0x100000\n\n101000 # the second\n',
        )
      ).stdout,
    ) as { results: { iova: string; outcome: string }[] }
    expect(results.map(({ iova, outcome }) => [iova, outcome])).toEqual([
      ['0x100000', 'translated'],
      ['0x101000', 'translated'],
    ])
  })

  test('--expect decides the exit code', async () => {
    const ask = async (expected: string, ...iovas: string[]): Promise<[number, string]> => {
      const { code, stderr } = await iommu([
        'walk',
        legacy,
        '--rid',
        '00:04.0',
        ...iovas.flatMap((iova) => ['--iova', iova]),
        '--expect',
        expected,
      ])
      return [code, stderr]
    }
    expect(await ask('translated', '0x100000')).toEqual([0, ''])
    expect(await ask('translated', '0x100000', '0x1000')).toEqual([1, 'iommu walk: 1 of 2 not translated: 0x1000\n'])
    expect(await ask('blocked', '0x1000')).toEqual([0, ''])
  })
})

describe('explain', () => {
  test('a line', async () => {
    const { code, stdout } = await iommu([
      'explain',
      '[6611.206544] DMAR: [DMA Read NO_PASID] Request device [03:00.0] fault addr 0x100000 [fault reason 0x71]',
    ])
    expect(code).toBe(0)
    expect(stdout).toMatchInlineSnapshot(`
      "[6611.206544] DMAR: [DMA Read NO_PASID] Request device [03:00.0] fault addr
        0x100000 [fault reason 0x71]
        who     03:00.0, no PASID (requester id 0x0300)
        what    read of 0x100000
        why     0x71  first stage: a table entry on the way is not present
        so      the device has a domain, and its first-stage table has no mapping
                there. Permission is not the question.
        usual   the buffer was unmapped too early · never mapped, or mapped for
                another device · the device ran past its buffer
        source  confirmed by linux, qemu, capture · vtd:11.4.14? (section unchecked)
      "
    `)
    expect(fits(stdout)).toEqual([])
  })

  test("an old kernel's decimal reason", async () => {
    const { stdout } = await iommu([
      'explain',
      'DMAR: [DMA Read] Request device [03:00.0] PASID ffffffff fault addr 1000 [fault reason 12] x',
    ])
    expect(stdout).toContain('why     0x0c  second stage: a reserved bit of a table entry is set')
    expect(stdout).toContain('"12" without 0x taken as decimal')
  })

  test('a code that is not known', async () => {
    expect((await iommu(['explain', 'vtd:0x5f'])).stdout).toContain('0x5f  unknown')
  })

  test('a whole log says advice once, and sums devices up', async () => {
    const line = (address: string): string =>
      `[1.0] DMAR: [DMA Read NO_PASID] Request device [03:00.0] fault addr ${address} [fault reason 0x06] x\n`
    const { stdout } = await iommu(
      ['explain', '-'],
      `DMAR: IOMMU enabled\n${line('0x1000')}${line('0x2000')}${line('0x1000')}`,
    )
    expect(stdout.match(/ {2}usual/g)).toHaveLength(1)
    expect(stdout).toContain('(2 times)')
    expect(stdout).toContain('03:00.0: 3 faults, 2 different; reasons 0x06\n1 other IOMMU lines, no faults\n')
  })

  test('a log without faults', async () => {
    expect(await iommu(['explain', '-'], 'nothing here\n')).toEqual({
      code: 0,
      stdout: '',
      stderr: 'iommu explain: no fault in it\n',
    })
  })

  test('a field', async () => expect((await iommu(['explain', 'vtd.pasid.PGTT'])).stdout).toMatchInlineSnapshot(`
    "vtd.pasid.PGTT
      bits    8:6
      is      PASID Granular Translation Type
      value   1 first stage
      value   2 second stage
      value   3 nested
      value   4 pass-through
      source  confirmed by linux, qemu, capture · vtd:9.6? (section unchecked)
    "
  `))

  test('--json', async () => {
    expect(
      await json([
        'explain',
        'DMAR: [DMA Write PASID 0x5] Request device [3b:01.0] fault addr 0x7f0000 [fault reason 0x59]',
      ]),
    ).toMatchObject({
      schema: 'iommu.explain/1',
      items: [
        {
          kind: 'dma-fault',
          vendor: 'vtd',
          device: '3b:01.0',
          pasid: 5,
          address: '0x7f0000',
          access: 'write',
          code: 0x59,
          count: 1,
        },
      ],
    })
  })
})

describe('drivers', () => {
  test('what the VT-d driver declares, once for each set of declarations', async () => {
    const { schema, drivers } = await json(['drivers']) as { schema: string; drivers: Record<string, unknown>[] }
    expect(schema).toBe('iommu.drivers/1')
    expect(drivers[0]).toMatchObject({
      name: 'driver-intel-vtd', hardware: 'Intel VT-d, scalable mode', contract: 1,
      kinds: ['scalable mode', 'scalable mode, caching mode', 'scalable mode, no pass-through'],
      supports: { maxPasids: 0x100000, paging: { rid: true, pasid: true }, identity: { rid: true, pasid: true } },
    })
    expect(drivers.find(({ hardware }) => hardware === 'Intel VT-d, legacy mode')).toMatchObject({
      supports: { maxPasids: 0, paging: { rid: true, pasid: false } },
    })
    expect(fits((await iommu(['drivers'])).stdout)).toEqual([])
  })
})
