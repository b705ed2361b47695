// What explain writes.
import { readFileSync } from 'node:fs'
import { allStatements } from '@iommu/conformance'
import { describe, expect, test } from 'vitest'
import { statementFixes } from '../src/statement-fixes.js'
import { capture, fits, iommu, json } from './command.js'

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
        next    iommu walk SOURCE --rid 03:00.0 --iova 0x100000, on a capture, an ELF
                core or debugfs text
        next    the type and the reserved regions of the device's group:
                /sys/kernel/iommu_groups
        source  confirmed by linux, qemu, capture · vtd:11.4.14? (section unchecked)
      "
    `)
    expect(fits(stdout)).toEqual([])
  })

  test('an AMD-Vi event, with its flags', async () => {
    const { stdout } = await iommu(['explain', 'AMD-Vi: Event logged [IO_PAGE_FAULT device=03:00.0 domain=0x000d address=0xcff49550 flags=0x0070]'])
    expect(stdout).toMatchInlineSnapshot(`
      "AMD-Vi: Event logged [IO_PAGE_FAULT device=03:00.0 domain=0x000d
        address=0xcff49550 flags=0x0070]
        who     03:00.0, no PASID (requester id 0x0300)
        what    write of 0xcff49550
        domain  0xd
        why     0x02  IO_PAGE_FAULT: no permission, nothing mapped, or a page table
                entry is wrong
        flags   GN- NX- US- I- PR+ RW+ PE+ RZ- TR-
        so      the page is there, and the tables or the device table entry do not
                allow this access.
        usual   a buffer mapped in one direction and used in the other · IR or IW is 0
                in the device table entry: the device is blocked
        next    iommu walk SOURCE --rid 03:00.0 --iova 0xcff49550 --write, on a
                capture, an ELF core or a memory image
        next    the device table entry, as debugfs prints it (iommu/amd/devtbl): iommu
                decode amd.dte
        source  confirmed by linux, qemu, capture · amd:2.5.4? (section unchecked)
      "
    `)
    expect(fits(stdout)).toEqual([])
  })

  test('an SMMUv3 event, with its four words', async () => {
    const { stdout } = await iommu(['explain', 'event 0x10 received: 0x0000000100000010 0x0000020000000000 0x00000000ffffe040 0x00000000ffffe040'])
    expect(stdout).toMatchInlineSnapshot(`
      "event 0x10 received: 0x0000000100000010 0x0000020000000000 0x00000000ffffe040
        0x00000000ffffe040
        who     stream 0x1, no PASID
        what    write of 0xffffe040
        why     0x10  F_TRANSLATION: nothing is mapped
        how     unprivileged data access · stage 1 · while translating: input address
        so      the stream has a translation, and no page is mapped at the address.
        usual   the buffer was unmapped too early · never mapped, or mapped for
                another device · the device ran past its buffer
        next    iommu walk SOURCE --rid 0x1 --iova 0xffffe040 --write, on a capture,
                an ELF core or a memory image
        next    the type and the reserved regions of the device's group:
                /sys/kernel/iommu_groups
        source  confirmed by linux, qemu, capture · smmu:7.3.13
      "
    `)
    expect(fits(stdout)).toEqual([])
  })

  test('a log of three vendors', async () => {
    const { stdout } = await iommu(['explain', '-'], [
      'DMAR: [DMA Read NO_PASID] Request device [03:00.0] fault addr 0x1000 [fault reason 0x06] x',
      'AMD-Vi: Event logged [IO_PAGE_FAULT device=04:00.0 domain=0x0001 address=0x1000 flags=0x0020]',
      'arm-smmu-v3 9050000.smmuv3: event: F_TRANSLATION client: 0000:05:00.0 sid: 0x500 ssid: 0x0 iova: 0x1000 ipa: 0x0', '',
    ].join('\n'))
    expect(stdout).toContain([
      '', '03:00.0: 1 fault, 1 different', '  0x06  1 time  second stage: no permission to read, or nothing mapped',
      '04:00.0: 1 fault, 1 different', '  0x02  1 time  IO_PAGE_FAULT: no permission, nothing mapped, or a page table', '    entry is wrong',
      '0000:05:00.0: 1 fault, 1 different', '  0x10  1 time  F_TRANSLATION: nothing is mapped', '',
    ].join('\n'))
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
    expect(stdout).toContain('[fault reason 0x06] x  (3 times)\n')
    expect(stdout).toContain('  what    read of 0x1000, 0x2000\n')
    expect(stdout).toContain([
      '', '03:00.0: 3 faults, 2 different, at 1.0 s', '  0x06  3 times  second stage: no permission to read, or nothing mapped',
      '1 other IOMMU line, not read as a fault', '',
    ].join('\n'))
  })

  test('many addresses of one device are one report', async () => {
    const lines = Array.from({ length: 12_000 }, (_, index) =>
      `[${index}.0] DMAR: [DMA Write NO_PASID] Request device [03:00.0] fault addr 0x${((index * 7919) % 12_000).toString(16)}000 [fault reason 0x05] x\n`)
    const { stdout } = await iommu(['explain', '-'], lines.join(''))
    expect(stdout).toContain('[fault reason 0x05] x  (12,000 times)\n')
    expect(stdout).toContain('  what    write of 0x0, 0x1eef000, 0xefe000 and 11,997 more, all from 0x0 to\n          0x2edf000\n')
    expect(stdout).toContain('03:00.0: 12,000 faults, 12,000 different, 0.0 s to 11999.0 s\n')
    expect(fits(stdout)).toEqual([])
  })

  test('progress goes to a terminal, and only there', async () => {
    async function* slowly(): AsyncGenerator<string> {
      yield 'DMAR: IOMMU enabled\n'.repeat(100_000)
      await new Promise((done) => { setTimeout(done, 1100) })
      yield 'DMAR: IOMMU enabled\n'.repeat(1000)
    }
    const quiet = await iommu(['explain', '-'], '', { stdinPieces: slowly })
    const told = await iommu(['explain', '-'], '', { stdinPieces: slowly, stderrIsTTY: true })
    expect(quiet.stderr).toBe('iommu explain: no fault was found in it\n')
    expect(told.stderr).toMatch(/^\r2 MB of the log read \r +\riommu explain: no fault was found in it\n$/)
    expect(told.stdout).toBe('101,000 other IOMMU lines, not read as faults\n')
    expect(told.stdout).toBe(quiet.stdout)
  })

  test('a file is read as a log, as it is from standard input', async () => {
    const file = `${capture('arm-7.3.4-stage1-edu-faulted-pending')}/dmesg-iommu.txt`
    const { code, stdout } = await iommu(['explain', file])
    expect(code).toBe(0)
    expect(stdout).toBe((await iommu(['explain', '-'], readFileSync(file, 'utf8'))).stdout)
    // Faults by the log's own decoded lines, whatever they mean.
    const decoded = [...readFileSync(file, 'utf8').matchAll(/event: F_TRANSLATION client: (\S+) /g)].map(([, device = '']) => device)
    for (const device of new Set(decoded)) {
      expect(stdout).toMatch(new RegExp(`^${device}: ${decoded.filter((each) => each === device).length} faults, `, 'm'))
    }
    expect(fits(stdout)).toEqual([])
  })

  test('a fault line that is longer than a file name can be', async () => {
    const { code, stdout } = await iommu(['explain', `DMAR: [DMA Read NO_PASID] Request device [03:00.0] fault addr 0x1000 [fault reason 0x06] ${'x'.repeat(300)}`])
    expect([code, stdout.includes('why     0x06')]).toEqual([0, true])
  })

  test('who made a request is said as far as the line says it', async () => {
    const who = async (line: string): Promise<string | undefined> => /^ {2}who {5}(.*)$/m.exec((await iommu(['explain', line])).stdout)?.[1]
    expect(await who('DMAR: [DMA Read NO_PASID] Request device [03:00.0] fault addr 0x1000 [fault reason 0x06] x')).toBe('03:00.0, no PASID (requester id 0x0300)')
    expect(await who('DMAR: [DMA Read] Request device [03:00.0] fault addr 1000 [fault reason 06] x')).toBe('03:00.0 (requester id 0x0300)')
    expect(await who('DMAR: [INTR-REMAP] Request device [f0:1f.7] fault index 0x16 [fault reason 0x26] x')).toBe('f0:1f.7 (requester id 0xf0ff)')
    expect(await who('AMD-Vi: Event logged [ILLEGAL_DEV_TABLE_ENTRY device=03:00.0 pasid=0x00000 address=0x1000 flags=0x0a00]')).toBe('03:00.0, no PASID (requester id 0x0300)')
    expect(await who('AMD-Vi: Event logged [INVALID_DEVICE_REQUEST device=03:00.0 pasid=0x00000 address=0x1000 flags=0x0a00]')).toBe('03:00.0 (requester id 0x0300)')
    expect(await who('AMD-Vi: Event logged [IOTLB_INV_TIMEOUT device=03:00.0 address=0x1000]')).toBe('03:00.0 (requester id 0x0300)')
  })

  test('a code without 0x is decimal, and that is said', async () => {
    expect((await iommu(['explain', 'vtd:71'])).stdout).toContain('why     0x47  a page request')
    expect((await iommu(['explain', 'vtd:71'])).stdout).toContain('read    "71" without 0x taken as decimal: 0x47')
    for (const plain of ['vtd:0x71', 'vtd:5', 'riscv:258']) expect((await iommu(['explain', plain])).stdout).not.toContain('taken as decimal')
  })

  test('a log without faults', async () => {
    expect(await iommu(['explain', '-'], 'nothing here\n')).toEqual({
      code: 0,
      stdout: '',
      stderr: 'iommu explain: no fault was found in it\n',
    })
  })

  test("a RISC-V fault", async () => {
    const { stdout } = await iommu(['explain', 'riscv,iommu 3010000.iommu: Fault 258 devid: 0x8 iotval: deadb000 iotval2: 0'])
    expect(stdout).toMatchInlineSnapshot(`
      "riscv,iommu 3010000.iommu: Fault 258 devid: 0x8 iotval: deadb000 iotval2: 0
        who     00:01.0 (requester id 0x0008)
        at      0xdeadb000
        why     258  a device directory entry is not valid
        how     device id 0x8
        read    the device is named by its id as PCI devices have them; the line does
                not say whether the request had a PASID
        so      nothing is set up for this device id: the device is blocked, and no
                address would have passed.
        usual   a device id that firmware describes wrongly · a driver or firmware
                that goes on with DMA after the device was released · the context was
                invalid for a moment while its domain was changed
        next    which device id firmware gives the device: iommu-map of the device
                tree, or RIMT
        next    the device context: iommu decode riscv.dc WORDS
        source  confirmed by qemu, spec · riscv:3.2? (section unchecked)
      "
    `)
    expect(fits(stdout)).toEqual([])
  })

  test('a statement of the suite: what it demands, whence, what breaks it, and the usual fix', async () => {
    const { code, stdout } = await iommu(['explain', 'c-rel-02'])
    expect(code).toBe(0)
    expect(stdout).toMatchInlineSnapshot(`
      "C-REL-02
        is      a device whose attach is deferred is released without an attach
        binds   the core layer, so that no driver has to
        group   REL, how a device leaves; it has 4 other statements
        from    iommu.c iommu_deinit_device
        mutant  deferred-device-parked (core): attaches the release domain to a device
                that nothing was ever attached to
        mutant  deferral-ignored (core): attaches at probe although the driver asked
                for a deferred attach; made for C-DEFER-01
        next    iommu conform --only C-REL-02
      "
    `)
    expect(fits(stdout)).toEqual([])
    expect(fits((await iommu(['explain', 'C-PASID-03'])).stdout)).toEqual([])
    expect(await iommu(['explain', 'C-PASID-99'])).toMatchObject({
      code: 2, stderr: 'iommu explain: the arguments, the id of a statement: expected a known one (did you mean C-PASID-09?), found "C-PASID-99"\n',
    })
  })

  test('fixes are told of statements that exist', () => {
    const ids = allStatements.map(({ id }) => id)
    expect(Object.keys(statementFixes).filter((id) => !ids.includes(id))).toEqual([])
  })

  test("a word of an entry, a field behind its word, and an alias with a dot", async () => {
    expect((await iommu(['explain', 'riscv.dc.tc'])).stdout).toContain('  bits    63:0\n  is      word 0 of device context, extended format\n')
    expect((await iommu(['explain', 'riscv.dc.tc.PDTV'])).stdout).toMatch(/^riscv\.dc\.PDTV\n {2}bits {4}5\n/)
    expect((await iommu(['explain', 'riscv.dc.fsc.PPN'])).stdout).toMatch(/^riscv\.dc\.FSC_PPN\n {2}bits {4}235:192\n/)
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
