// What explain writes.
import { describe, expect, test } from 'vitest'
import { fits, iommu, json } from './command.js'

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
        next    a capture of the tables: iommu walk CAPTURE --rid DEVICE --iova
                ADDRESS · the device table entry, as debugfs prints it
                (iommu/amd/devtbl): iommu decode amd.dte
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
        next    a capture of the tables: iommu walk CAPTURE --rid DEVICE --iova
                ADDRESS · the type and the reserved regions of the device's group:
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
      '03:00.0: 1 fault, 1 different; reasons 0x06', '04:00.0: 1 fault, 1 different; reasons IO_PAGE_FAULT',
      '0000:05:00.0: 1 fault, 1 different; reasons F_TRANSLATION',
    ].join('\n'))
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
