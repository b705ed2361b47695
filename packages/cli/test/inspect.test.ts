// What inspect writes, and how a capture folder is opened.
import { cpSync, mkdtempSync, rmSync, truncateSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { capture, fits, iommu, json } from './command.js'

const pasids = capture('intel-7.3.4dbg-scalable-pasid-secondstage-pasid')
const blocked = capture('intel-7.3.4-legacy-edu-blocked')

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

  test('AMD-Vi and SMMUv3', async () => {
    expect((await iommu(['inspect', capture('amd-7.3.4-v1-pt-edu-blocked')])).stdout.split('\n').slice(0, 5).join('\n')).toMatchInlineSnapshot(`
      "amd, device table at 0x13a8000, 11 devices
        00:00.0  identity    Device table entry at 0x13a8000: passes through, domain 1
        00:02.0  identity    Device table entry at 0x13a8200: passes through, domain 1
        00:03.0  identity    Device table entry at 0x13a8300: passes through, domain 1
        00:04.0  blocked     Device table entry at 0x13a8400: no translation"
    `)
    expect((await iommu(['inspect', capture('arm-7.3.4-stage2-edu-faulted-pending')])).stdout.split('\n').slice(0, 3).join('\n')).toMatchInlineSnapshot(`
      "arm, stream table at 0x446ab000, 8 devices
        00:00.0  translated  Stream table entry at 0x4be20000: stage 2 at 0x45b58000,
                             VMID 1"
    `)
  })

  test('faults that differ in their address alone are shown once', async () => {
    for (const name of ['amd-7.3.4-v1-edu-faulted-pending', 'arm-7.3.4-stage1-edu-faulted-pending']) {
      const { stdout } = await iommu(['inspect', capture(name)])
      expect(stdout.match(/fault waiting/g)).toHaveLength(1)
      expect(stdout).toMatch(/fault waiting {2}00:06.0, write of 0x\w+ and 15 more like it: 0x\w+\s/)
      expect(fits(stdout)).toEqual([])
    }
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
