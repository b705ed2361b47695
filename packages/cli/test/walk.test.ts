// What walk writes.
import { describe, expect, test } from 'vitest'
import { capture, fits, iommu, json } from './command.js'

const legacy = capture('intel-7.3.4-legacy-edu-vfio')
const pasids = capture('intel-7.3.4dbg-scalable-pasid-secondstage-pasid')
const blocked = capture('intel-7.3.4-legacy-edu-blocked')

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

  test('AMD-Vi', async () => {
    const { stdout } = await iommu(['walk', capture('amd-7.3.4-v1-edu-faulted-pending'), '--rid', '00:04.0', '--iova', '0x40212340'])
    expect(stdout).toMatchInlineSnapshot(`
      "0000:00:04.0, read of 0x40212340
        amd.dte at 0x13a8400: host tables at 0x4daf000, 3-level, domain 11
            0x6000000004daf603 0x000000000000000b
        amd.v1 at 0x4daf008: level 3: table
            0x6000000004ce5401
        amd.v1 at 0x4ce5008: level 2: leaf
            0x700000000f400001
        translated to 0xf412340, read and write, 2 MiB page, domain 11
      "
    `)
  })

  test('SMMUv3, stage 2: a page that may only be written', async () => {
    const { stdout } = await iommu(['walk', capture('arm-7.3.4-stage2-edu-faulted-pending'), '--rid', '0x20', '--iova', '0x300010'])
    expect(stdout).toMatchInlineSnapshot(`
      "0000:00:04.0, read of 0x300010
        smmuv3.l1std at 0x446ab000: 256 entries at 0x4be20000
            0x000000004be20009
        smmuv3.ste at 0x4be20800: stage 2 at 0x466e8000, VMID 9
            0x000000000000000d 0x0000000000000000 0x044c359400000009
            0x00000000466e8000
        smmuv3.s2 at 0x466e8000: level 0: table
            0x00000000466e9003
        smmuv3.s2 at 0x466e9000: level 1: table
            0x00000000466c8003
        smmuv3.s2 at 0x466c8008: level 2: table
            0x0000000046481003
        smmuv3.s2 at 0x46481800: level 3: leaf
            0x0000000042c6f7bf
        blocked: 0x13 F_PERMISSION: the page does not permit it
      "
    `)
    expect(fits(stdout)).toEqual([])
  })

  test('SMMUv3: a stream that aborts', async () => {
    const { stdout } = await iommu(['walk', capture('arm-7.3.4-stage1-pt-edu-blocked'), '--rid', '00:04.0', '--iova', '0', '--expect', 'blocked'])
    expect(stdout).toContain('  blocked, and no event tells of it\n')
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

  test('a source that lacks a page: the steps up to there, what is missing, and exit code 2', async () => {
    const devtbl = ['DeviceId             QWORD[3]         QWORD[2]         QWORD[1]         QWORD[0] iommu',
      '0000:00:04.0 0000000000000000 0000000000000000 000000000000000b 6000000004daf603 iommu0'].join('\n')
    const ask = (...args: string[]): ReturnType<typeof iommu> => iommu(['walk', '-', '--root', '0x13a8001', '--rid', '00:04.0', '--iova', '0x1000', ...args], devtbl)
    const { code, stdout, stderr } = await ask()
    expect([code, stdout.split('\n').slice(1)]).toEqual([2, [
      '  amd.dte at 0x13a8400: host tables at 0x4daf000, 3-level, domain 11',
      '      0x6000000004daf603 0x000000000000000b',
      '  unknown: 0x4daf000 is missing from the source, and beyond it nothing is known', '',
    ]])
    expect(stderr).toContain('iommu walk: standard input, address 0x4daf000: expected an entry that the text prints')
    expect(await ask('--expect', 'translated')).toMatchObject({ code: 2 })
    expect(JSON.parse((await ask('--json')).stdout)).toMatchObject({ results: [{ outcome: 'unknown', unknown: { missing: '0x4daf000' }, steps: [{ entry: 'amd.dte' }] }] })
  })
})
