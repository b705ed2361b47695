// What `iommu reproduce` writes, in whole.
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { capture, fits, iommu, json } from './command.js'

const legacy = capture('intel-7.3.4-legacy-edu-vfio')
const pasids = capture('intel-7.3.4dbg-scalable-pasid-secondstage-pasid')

describe('a capture that the driver reproduces', () => {
  test('the counts, and exit code 0', async () => {
    const { code, stdout } = await iommu(['reproduce', pasids])
    expect(code).toBe(0)
    expect(stdout).toMatchInlineSnapshot(`
      "intel, scalable mode: 642 entries, 642 equal, 0 explained, 0 different
                            equal  explained  different
        vtd.sm-context         11          0          0
        vtd.pasid-dir          13          0          0
        vtd.pasid              14          0          0
        vtd.ss                604          0          0
      "
    `)
    expect(fits(stdout)).toEqual([])
  })

  test('--json', async () => {
    const { entries, ...rest } = await json(['reproduce', legacy]) as { entries: unknown[] }
    expect(rest).toEqual({
      schema: 'iommu.reproduce/1', platform: 'intel', mode: 'legacy', totals: { equal: 628, explained: 0, different: 0 },
      rules: [],
    })
    expect(entries).toContainEqual({
      bdf: '0000:00:04.0', entry: 'vtd.context', address: '0x1d1a200', verdict: 'equal',
      recorded: ['0x0000000004857001', '0x0000000000000502'], ours: ['0x0000000004857001', '0x0000000000000502'],
    })
  })
})

describe('a capture with other words', () => {
  let folder = ''
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'iommu-'))
    cpSync(legacy, folder, { recursive: true })
  })
  afterAll(() => rmSync(folder, { recursive: true }))

  /** Changes words of the copy; they stay changed. */
  const edit = (page: string, change: (view: DataView, at: number) => void): void => {
    const { pages } = JSON.parse(readFileSync(join(folder, 'tables.json'), 'utf8')) as { pages: Record<string, number> }
    const bytes = readFileSync(join(folder, 'tables.bin'))
    change(new DataView(bytes.buffer, bytes.byteOffset), pages[page] as number)
    writeFileSync(join(folder, 'tables.bin'), bytes)
  }

  test('shows both, and the exit code is 1', async () => {
    // FPD of the context entry of 00:04.0.
    edit('0x1d1a000', (view, at) => view.setUint8(at + 0x200, 0x03))
    const { code, stdout } = await iommu(['reproduce', folder])
    expect(code).toBe(1)
    expect(stdout).toMatchInlineSnapshot(`
      "intel, legacy mode: 628 entries, 627 equal, 0 explained, 1 different
                         equal  explained  different
        vtd.context         10          0          1
        vtd.ss             617          0          0
        different  0000:00:04.0, vtd.context at 0x1d1a200: FPD
            recorded  0x0000000004857003 0x0000000000000502
            ours      0x0000000004857001 0x0000000000000502
      "
    `)
    expect(fits(stdout)).toEqual([])
  })

  test('many of them are not all shown, and --json has them all', async () => {
    // Bit 52, which hardware ignores and the driver leaves 0, in every leaf of a table.
    const { entries } = await json(['reproduce', legacy]) as { entries: { level?: number; address: string; entry: string }[] }
    const leaves = entries.filter(({ level }) => level === 1).map(({ address }) => BigInt(address))
    const page = (leaves[0] as bigint) & ~0xfffn
    const inside = leaves.filter((address) => (address & ~0xfffn) === page)
    edit(`0x${page.toString(16)}`, (view, at) => {
      for (const address of inside) view.setUint8(at + Number(address & 0xfffn) + 6, 0x10)
    })
    const { code, stdout } = await iommu(['reproduce', folder])
    expect(code).toBe(1)
    expect(stdout).toContain(': ignored 61:52\n')
    expect(stdout.match(/^ {2}different {2}0000/gm)).toHaveLength(8)
    expect(stdout).toMatch(/\n {2}and \d+ more that are different; --json lists them\n$/)
    expect(fits(stdout)).toEqual([])
    const { totals } = await json(['reproduce', folder]) as { totals: { different: number } }
    expect(totals.different).toBeGreaterThan(inside.length)
  })

  test('a reason that has a name is given once, and does not fail', async () => {
    rmSync(folder, { recursive: true })
    cpSync(pasids, folder, { recursive: true })
    // A unit that can do page requests, and contexts that let them through: ECAP.PRS and PRE.
    const registers = join(folder, 'registers.json')
    const recorded = JSON.parse(readFileSync(registers, 'utf8')) as { registers: { name: string; value: string }[] }
    for (const each of recorded.registers) {
      if (each.name === 'ECAP') each.value = `0x${(BigInt(each.value) | 1n << 29n).toString(16)}`
    }
    writeFileSync(registers, JSON.stringify(recorded))
    const { entries } = await json(['reproduce', pasids]) as { entries: { entry: string; address: string }[] }
    for (const { entry, address } of entries) {
      if (entry !== 'vtd.sm-context') continue
      const at = BigInt(address)
      edit(`0x${(at & ~0xfffn).toString(16)}`, (view, page) => {
        const byte = page + Number(at & 0xfffn)
        view.setUint8(byte, view.getUint8(byte) | 0x10)
      })
    }
    const { code, stdout } = await iommu(['reproduce', folder])
    expect(code).toBe(0)
    expect(stdout).toMatchInlineSnapshot(`
      "intel, scalable mode: 642 entries, 631 equal, 11 explained, 0 different
                            equal  explained  different
        vtd.sm-context          0         11          0
        vtd.pasid-dir          13          0          0
        vtd.pasid              14          0          0
        vtd.ss                604          0          0
        explained  11 by page-requests: Linux lets page requests through wherever unit
            and device can make them; the driver serves none, and refuses them. (linux
            7.3.4, from capability and not from what is enabled)
      "
    `)
    expect(fits(stdout)).toEqual([])
  })
})
