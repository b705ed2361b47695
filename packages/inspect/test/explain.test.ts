// Fault lines as kernels of all ages print them, and names.
import { describe, expect, test } from 'vitest'
import { explain, explainLog } from '../src/index.js'
import type { Explained } from '../src/index.js'
import { capturesIn, dmesgAt, OWN } from './recorded.js'

const one = async (line: string): Promise<Explained> => {
  const { items } = await explain(line)
  expect(items).toHaveLength(1)
  return items[0] as Explained
}

describe('lines', () => {
  test.each([
    [
      '[   39.686914] DMAR: [DMA Read NO_PASID] Request device [0000:00:04.0] fault addr 0xdead000 [fault reason 0x06] PTE Read access is not set',
      {
        device: '0000:00:04.0',
        access: 'read',
        address: '0xdead000',
        code: 0x06,
        meaning: 'second stage: no permission to read, or nothing mapped',
      },
    ],
    [
      '[   49.733192] DMAR: [DMA Write NO_PASID] Request device [0000:00:04.0] fault addr 0x200000 [fault reason 0x85] SM: No write permission for Write/AtomicOp request',
      { access: 'write', address: '0x200000', code: 0x85, meaning: 'first stage: no permission to write' },
    ],
    [
      'DMAR: [DMA Write PASID 0x5] Request device [3b:01.0] fault addr 0x7f0000 [fault reason 0x59]',
      { device: '3b:01.0', pasid: 5, code: 0x59 },
    ],
    [
      'Nov 22 17:40:01 host kernel: DMAR: [DMA Read] Request device [03:00.0] PASID ffffffff fault addr 7f3b60 [fault reason 06] PTE Read access is not set',
      { device: '03:00.0', access: 'read', address: '0x7f3b60', code: 6 },
    ],
    [
      'DMAR: [DMA Write] Request device [03:00.0] PASID 3e8 fault addr 1000 [fault reason 05]',
      { pasid: 1000, code: 5 },
    ],
    [
      'dmar: DRHD: [DMA Write] Request device [00:1f.2] fault addr fffff000',
      { device: '00:1f.2', address: '0xfffff000' },
    ],
    ['<3>[12.5] DMAR: [DMA Write] Request device [00:02.0] fault addr 4ba000 [fault reason 23] Unknown', { code: 23 }],
  ])('%s', async (line, expected) =>
    expect(await one(line)).toMatchObject({ kind: 'dma-fault', vendor: 'vtd', count: 1, ...expected }),
  )

  test('a request without PASID has none, and a line that has no place for one does not say so', async () => {
    const without = await one('DMAR: [DMA Read] Request device [03:00.0] PASID ffffffff fault addr 0 [fault reason 06]')
    expect(without).not.toHaveProperty('pasid')
    expect(without).not.toHaveProperty('pasidSaid')
    expect(await one('DMAR: [DMA Read NO_PASID] Request device [03:00.0] fault addr 0x0 [fault reason 0x06]')).not.toHaveProperty('pasidSaid')
    const older = await one('DMAR: [DMA Read] Request device [03:00.0] fault addr 0 [fault reason 06] PTE Read access is not set')
    expect(older).not.toHaveProperty('pasid')
    expect(older).toMatchObject({ pasidSaid: false })
  })

  test('an interrupt', async () => {
    expect(
      await one(
        'DMAR: [INTR-REMAP] Request device [f0:1f.7] fault index 0x16 [fault reason 0x26] Blocked an interrupt request due to source-id verification failure',
      ),
    ).toMatchObject({ kind: 'interrupt-fault', device: 'f0:1f.7', index: 0x16, code: 0x26 })
    expect(
      await one(
        'DMAR: [INTR-REMAP] Request device [[f0:1f.7] fault index 22 [fault reason 34] Present field in the IRTE entry is clear',
      ),
    ).toMatchObject({
      index: 0x22,
      code: 0x22,
      reading: '"34" without 0x taken as decimal, as older kernels print it: 0x22',
    })
  })

  test('the same digits with 0x, without, and with letters', async () => {
    const code = async (printed: string): Promise<unknown[]> => {
      const { code: read, reading } = await one(
        `DMAR: [DMA Read] Request device [03:00.0] fault addr 1000 [fault reason ${printed}]`,
      )
      return [read, reading]
    }
    expect(await code('0x12')).toEqual([0x12, undefined])
    expect(await code('12')).toEqual([0x0c, '"12" without 0x taken as decimal, as older kernels print it: 0x0c'])
    expect(await code('113')).toEqual([0x71, '"113" without 0x taken as decimal, as older kernels print it: 0x71'])
    expect(await code('0c')).toEqual([0x0c, '"0c" taken as hexadecimal'])
    expect(await code('06')).toEqual([6, undefined])
  })

  test('a code that is not known stays unknown', async () => {
    const item = await one('DMAR: [DMA Read NO_PASID] Request device [00:04.0] fault addr 0x0 [fault reason 0x5f] unknown')
    expect(item).toMatchObject({ code: 0x5f, name: 'VT-d fault reason 0x5f' })
    expect(item).not.toHaveProperty('meaning')
    expect(item).not.toHaveProperty('confirmedBy')
  })

  test("the kernel's own words are never repeated", async () => {
    const { input: _input, ...item } = await one(
      'DMAR: [DMA Read NO_PASID] Request device [00:04.0] fault addr 0x0 [fault reason 0x06] PTE Read access is not set',
    )
    expect(JSON.stringify(item)).not.toContain('PTE Read access')
  })

  test('an address in the interrupt range is said to be one', async () => {
    expect(
      (await one('DMAR: [DMA Read NO_PASID] Request device [00:04.0] fault addr 0xfee00000 [fault reason 0x06]')).so,
    ).toContain('interrupt range')
  })

  test('the status register', async () => {
    expect(await one('DMAR: DRHD: handling fault status reg 2')).toMatchObject({
      kind: 'fault-status',
      meaning: 'a fault is waiting in record 0',
    })
    expect((await one('DMAR: DRHD: handling fault status reg 103')).meaning).toBe(
      'a fault is waiting in record 1; records overflowed, so some faults were lost',
    )
    expect((await one('DMAR: DRHD: handling fault status reg 40')).meaning).toBe(
      'a device did not answer an invalidation in time',
    )
  })

  test("the queue's errors", async () => {
    expect(await one('DMAR: VT-d detected Invalidation Time-out Error: SID 118')).toMatchObject({
      kind: 'queue-error',
      device: '01:03.0',
    })
    expect((await one('DMAR: VT-d detected Invalidation Queue Error: Reason 6')).meaning).toContain(
      'descriptor that it refuses',
    )
  })

  // As their drivers print them.
  test.each([
    ['arm-smmu', 'arm-smmu 5000000.iommu: Unhandled context fault: fsr=0x402, iova=0x1000, fsynr=0x1, cbfrsynra=0x8, cb=1'],
    ['arm-smmu', '[    3.1] arm-smmu fd5c0000.iommu: Unexpected global fault, this could be serious'],
    ['rk_iommu', '[   12.5] rk_iommu ff914000.iommu: Page fault at 0x00000000fe000000 of type read'],
    ['mtk-iommu', 'mtk-iommu 14018000.iommu: fault type=0x5 iova=0x40000000 pa=0x0 master=0x500(larb=0 port=0) layer=0 read'],
    ['sun50i-iommu', 'sun50i-iommu 30f0000.iommu: Page fault for 0x40000000'],
    ['exynos-sysmmu', 'exynos-sysmmu 13a10000.sysmmu: 13a00000.gpu: [READ] PAGE FAULT occurred at 0x20400000'],
    ['virtio_iommu', 'virtio_iommu virtio0: page fault from EP 8 at 0x1000 [RWF]'],
    ['apple-dart', 'apple-dart 231304000.iommu: translation fault: status:0x80000002 stream:0 code:0x2 at 0x1000'],
    ['ipmmu-vmsa', 'ipmmu-vmsa e7740000.iommu: Unhandled fault: status 0x00000001 iova 0x1000'],
  ])('a fault of an IOMMU that is not known here is not guessed at, and not called none: %s', async (vendor, line) =>
    expect(await one(line)).toEqual({ kind: 'other-vendor', input: line, count: 1, vendor }))

  test.each(['iommu: Default domain type: Translated', 'arm-smmu 5000000.iommu: preserved 0 boot mappings', 'pci 0000:00:01.0: Adding to iommu group 1'])(
    'no fault: %s', async (line) => expect((await explainLog(line)).items).toEqual([]))

  test('colours and control characters of a log hide nothing, and are not handed on', async () => {
    const escape = String.fromCharCode(27)
    const colour = (code: string): string => `${escape}[${code}m`
    const { items, devices } = await explainLog([
      `${colour('32')}[   40.182570] ${colour('0')}${colour('33')}ath10k_pci 0000:01:00.0: ${colour('0')}AMD-Vi: Event logged [IO_PAGE_FAULT domain=0x000d address=0xcff49550 flags=0x0070]`,
      `${colour('32')}[   41.0] ${colour('0')}${colour('33')}DMAR: ${colour('0')}${colour('31')}[DMA Read NO_PASID] Request device [03:00.0] fault addr 0x1000 [fault reason 0x06] x${colour('0')}`,
      ...['event 0x10 received:', '\t0x0000002000000010', '\t0x0000020800000000', '\t0x000000000dead000', '\t0x0000000000000000'].map((text) =>
        `${colour('33')}arm-smmu-v3 9050000.smmuv3: ${colour('0')}${text}`),
      `${escape}]0;title\u0007DMAR: [DMA Write NO_PASID] Request device [04:00.0] fault addr 0x2000 [fault reason 0x05]\u0000\u0008 x`,
    ].join('\r\n'))
    expect(items.map(({ device, address, access }) => [device, address, access])).toEqual([
      ['0000:01:00.0', '0xcff49550', 'write'], ['03:00.0', '0x1000', 'read'], ['stream 0x20', '0xdead000', 'read'], ['04:00.0', '0x2000', 'write'],
    ])
    expect(devices.map(({ first }) => first)).toEqual(['40.182570 s', '41.0 s', undefined, undefined])
    expect(JSON.stringify(items)).not.toMatch(/\\u00[01]|\\[bnrf]/)
  })

  test('what is no fault at all is refused', async () => {
    await expect(explain('hello world')).rejects.toThrow(
      'expected a fault line, a field such as vtd.pasid.PGTT or a code such as vtd:0x59, found "hello world"',
    )
  })
})

describe('logs', () => {
  test('repeats are counted, whatever their timestamps, and devices summed up', async () => {
    const line = (time: string, address: string): string =>
      `[${time}] DMAR: [DMA Read NO_PASID] Request device [0000:03:00.0] fault addr ${address} [fault reason 0x06] x`
    const { items, devices, otherLines } = await explainLog(
      [
        '[    0.1] DMAR: IOMMU enabled',
        line('1.0', '0x1000'),
        line('2.0', '0x1000'),
        line('3.0', '0x2000'),
        '[3.1] dmar_fault: 5 callbacks suppressed',
        '[4.0] usb 1-1: new device',
        line('5.0', '0x1000'),
      ].join('\n'),
    )
    expect(items.map(({ kind, address, count }) => [kind, address, count])).toEqual([
      ['dma-fault', '0x1000', 3],
      ['dma-fault', '0x2000', 1],
      ['suppressed', undefined, 1],
    ])
    expect(devices).toEqual([{
      device: '0000:03:00.0', vendor: 'vtd', faults: 4, distinct: 2, codes: [6], reasons: [{ code: 6, count: 4 }], first: '1.0 s', last: '5.0 s',
    }])
    expect(otherLines).toBe(1)
  })

  test('the tables that kernels with debugging print below a fault', async () => {
    const dump = (...lines: readonly string[]): string => lines.map((line) => `DMAR: ${line}`).join('\n')
    const fault = '[DMA Read NO_PASID] Request device [0000:00:04.0] fault addr 0xdead008 [fault reason 0x06] x'
    const scalable = [
      'Dump dmar0 table entries for IOVA 0xdead000', 'scalable mode root entry: hi 0x0000000002543001, low 0x0000000002406001',
      'context entry: hi 0x0000000000000000, low 0x000000000251d401', 'pasid dir entry: 0x000000000256b001',
      'pasid table entry[0]: 0x000000000256a089', 'pasid table entry[1]: 0x0000000000000005', 'pte level: 4, pte value: 0x0000000000000000',
      'page table not present at level 3',
    ]
    const { items, otherLines } = await explainLog(`${dump(fault, ...scalable)}\nDMAR: IOMMU enabled`)
    expect(otherLines).toBe(1)
    expect(items).toMatchObject([{ code: 6, details: [
      'in the tables, as the kernel read them then: scalable-mode root entry LP+ LCTP=0x2406000 UP+ UCTP=0x2543000; scalable-mode context entry P+ '
      + 'PDTS=2 PASIDDIRPTR=0x251d000; pasid directory entry P+ SMPTBLPTR=0x256b000; pasid table entry P+ AW=48-bit, 4-level PGTT=second stage '
      + 'SSPTPTR=0x256a000 DID=5; level 4 entry all zero; so there is no table of level 3',
    ] }])
    const legacy = await explainLog(dump(fault, 'Dump dmar0 table entries for IOVA 0xdead000', 'root entry: 0x000000000347c001',
      'context entry: hi 0x0000000000000502, low 0x00000000035a7001', 'pte level: 1, pte value: 0x0000000040200002'))
    expect(legacy.items[0]?.details?.[0]).toMatch(/context entry P\+ .*DID=5; level 1: second-stage .* W\+/)
    // Another address, or no fault before it: lines of their own.
    expect(await explainLog(dump(fault.replace('0xdead008', '0x1000'), ...scalable))).toMatchObject({ items: [{ address: '0x1000' }], otherLines: 8 })
    expect(await explainLog(dump(...scalable))).toMatchObject({ items: [], otherLines: 8 })
  })

  test('reports stand in the order in which they began', async () => {
    const { items } = await explainLog([
      'arm-smmu-v3 x: event 0x10 received:', '[1.0] DMAR: [DMA Read NO_PASID] Request device [03:00.0] fault addr 0x1000 [fault reason 0x06] x',
      'riscv,iommu x: Fault 13 devid: 0x600 iotval: 1000 iotval2: 0',
    ].join('\n'))
    expect(items.map(({ vendor }) => vendor)).toEqual(['smmuv3', 'vtd', 'riscv'])
  })

  test('a reason on the next line, as very old kernels print it', async () => {
    const { items } = await explainLog(
      'DMAR:[DMA Read] Request device [00:1f.2] fault addr ffe00000 \nDMAR:[fault reason 06] PTE Read access is not set',
    )
    expect(items).toMatchObject([{ kind: 'dma-fault', device: '00:1f.2', address: '0xffe00000', code: 6 }])
    expect(items).toHaveLength(1)
  })

  test('a line that was cut before its reason still says who', async () => {
    expect((await explainLog('DMAR:[DMA Read] Request device [00:1f.2] fault addr ffe00000')).items).toMatchObject([
      { device: '00:1f.2', vendor: 'vtd' },
    ])
  })

  test('every fault line of the recorded logs is found, with its code known', async () => {
    let faults = 0
    for (const name of capturesIn(OWN, 'intel')) {
      const text = dmesgAt(`${OWN}${name}`)
      const { items } = await explainLog(text)
      const found = items.filter(({ kind }) => kind === 'dma-fault')
      expect(found.reduce((sum, { count }) => sum + count, 0)).toBe((text.match(/fault addr/g) ?? []).length)
      expect(found.every(({ meaning }) => meaning !== undefined)).toBe(true)
      faults += found.length
    }
    expect(faults).toBeGreaterThan(8)
  })
})

describe('names', () => {
  test('a field', async () => {
    expect(await one('vtd.pasid.PGTT')).toMatchObject({
      kind: 'field', name: 'vtd.pasid.PGTT', bits: [[8, 6]], section: 'vtd:9.6?',
      values: { 1: 'first stage', 2: 'second stage', 3: 'nested', 4: 'pass-through' },
    })
    expect((await one('VTD.PASID.slptptr')).name).toBe('vtd.pasid.SSPTPTR')
    expect((await one('pasid.PGTT')).name).toBe('vtd.pasid.PGTT')
  })

  test('a field name alone: every entry that has it', async () => {
    expect((await explain('DID')).items.map(({ name }) => name)).toEqual(
      expect.arrayContaining(['vtd.context.DID', 'vtd.pasid.DID', 'vtd.qi.iotlb.DID']),
    )
  })

  test('an entry', async () =>
    expect(await one('vtd.context')).toMatchObject({ kind: 'entry', fields: ['P', 'FPD', 'TT', 'SSPTPTR', 'AW', 'DID'] }))

  test('a fault code, known and unknown', async () => {
    expect(await one('vtd:0x59')).toMatchObject({
      kind: 'fault-code',
      code: 0x59,
      meaning: 'the PASID entry is not present',
      confirmedBy: ['linux', 'qemu'],
    })
    expect((await one('0x71')).code).toBe(0x71)
    expect((await one('vtd:89')).code).toBe(0x59)
    expect(await one('vtd:0x5f')).not.toHaveProperty('meaning')
  })

  test('an unknown field of a known entry is answered with the nearest', async () => {
    await expect(explain('vtd.pasid.PGT')).rejects.toThrow('did you mean PGTT?')
  })
})
