// What decode and encode write, in whole: these are the screens that people see.
import { describe, expect, test } from 'vitest'
import { fits, iommu, json } from './command.js'

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

  test('a row of debugfs\'s device table has its high word first, and that is said', async () => {
    const row = '0000:01:00.0 0000000000000000 2000000170000013 0000000000000008 6000000003287603 iommu0'
    const table = `DeviceId             QWORD[3]         QWORD[2]         QWORD[1]         QWORD[0] iommu\n${row}\n`
    const words = ['0x6000000003287603', '0x0000000000000008', '0x2000000170000013', '0x0000000000000000']
    for (const [args, input] of [[['decode', 'amd.dte', row], ''], [['decode', 'amd.dte', '-'], table]] as const) {
      expect(await json(args, input)).toMatchObject({ words, order: 'high first', inferred: expect.stringContaining('device table') })
      expect((await iommu(args, input)).stdout).toContain('(taken as a row of debugfs\'s device')
    }
    const plain = row.split(' ').slice(1, 5)
    expect(await json(['decode', 'amd.dte', ...plain, '--high-first'])).toMatchObject({ words })
    expect(await json(['decode', 'amd.dte', ...plain])).toMatchObject({ words: [...words].reverse() })
  })

  test.each([
    ['amd.dte', '6000000114d7b603', 'HostPTRoot=0x114d7b000'], ['smmu.ste', '45a7300b', 'S1ContextPtr=0x45a73000'],
    ['smmuv3.cd', '0x0004e204c0003510', 'ASID=4'], ['amd.cmd.completion-wait', '1000000160000011', 'StoreAddress=0x160000010'],
  ])('%s', async (name, word, field) => {
    const { stdout } = await iommu(['decode', name, word, '--line'])
    expect(stdout).toContain(field)
    for (const view of [[], ['--bits']]) expect(fits((await iommu(['decode', name, word, ...view])).stdout)).toEqual([])
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

  test('AMD-Vi and SMMUv3', async () => {
    expect((await iommu(['encode', 'amd.dte', 'V=1', 'TV=1', 'Mode=3-level', 'HostPTRoot=0x123456000', 'IR=1', 'IW=1', 'DomainID=5', '--line'])).stdout)
      .toContain('0x6000000123456603 0x5 0x0 0x0\n')
    expect((await iommu(['encode', 'smmuv3.ste', 'V=1', 'Config=bypass', '--line'])).stdout).toContain('0x9 0x0 0x0 0x0 0x0 0x0 0x0 0x0\n')
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
