// What diff writes: changed fields, and the driver's plan.
import { describe, expect, test } from 'vitest'
import { fits, iommu, json } from './command.js'

const ask = (name: string, from: string, to: string, ...more: readonly string[]): Promise<Record<string, unknown>> =>
  json(['diff', name, from, to, ...more])

describe('diff', () => {
  test('VT-d: a present entry goes first, and is not there in between', async () => {
    const { stdout } = await iommu(['diff', 'vtd.context', '0x4857001 0x502', '0x9 0x102', '--rid', '00:04.0'])
    expect(stdout).toMatchInlineSnapshot(`
      "vtd.context: 3 fields differ
        TT  second stage -> pass-through
        SSPTPTR  0x4857000 -> 0x0
        DID  0x5 -> 0x1
      not hitless, 3 stores, 2 waited for
        store  word 0 = 0x0000000004857000: P  (DMA is refused)
        order
        write-back
        cmd    vtd.qi.context-cache Type=1 G=device DID=5 SID=0x20 FM=0
        wait   for all of it
        cmd    vtd.qi.iotlb Type=2 G=domain DW+ DR+ DID=5 AM=0 IH- ADDR=0x0
        wait   for all of it
        store  word 1 = 0x0000000000000102: DID  (DMA is refused)
        order
        store  word 0 = 0x0000000000000009: P, TT, SSPTPTR
        write-back
      "
    `)
    expect(fits(stdout)).toEqual([])
  })

  // As many syncs as Linux's arm_smmu_write_entry makes, and hitless where it is.
  test.each([
    ['smmuv3.ste', '0x1', '0x9', 1, true], ['smmuv3.ste', '0x9', '0x1', 1, true],
    ['smmuv3.ste', '0x800000014000002b 0x100000d4', '0x1', 2, true],
    ['smmuv3.ste', '0x800000014000002b 0x100000d6', '0x800000015000002b 0x100000d5', 3, false],
    ['smmuv3.cd', '0x3e205c0003510 0x123456000 0 0xf404ff44', '0x9e205c0003510 0x123456000 0 0xf404ff44', 1, true],
    ['smmuv3.cd', '0x3e205c0003510 0x123456000 0 0xf404ff44', '0x9e205c0003510 0x133000000 0 0xf404ff44', 3, false],
  ])('%s %s to %s', async (name, from, to, syncs, hitless) =>
    expect(await ask(name, from, to)).toMatchObject({ schema: 'iommu.diff/1', syncs, hitless }))

  test('AMD-Vi: the lower half is one store of 16 bytes, then the entry and its old domain are flushed', async () => {
    const { stores, invalidations, ...rest } = await ask('amd.dte', '6000000123456603 5', '6000000000000003 1', '--rid', '0x110')
    expect(rest).toMatchObject({ hitless: true, changed: expect.arrayContaining([{ name: 'DomainID', before: '0x5', after: '0x1' }]) })
    expect(stores).toMatchObject([{ index: 0, words: ['0x6000000000000003', '0x0000000000000001'], live: true }])
    expect(invalidations).toMatchObject([
      { entry: 'amd.cmd.invalidate-devtab-entry', words: ['0x2000000000000110', '0x0000000000000000'] },
      { entry: 'amd.cmd.invalidate-iommu-pages', words: ['0x3000000500000000', '0x7ffffffffffff003'] },
    ])
  })

  test('AMD-Vi: without V an entry refuses nothing', async () => {
    const { stdout } = await iommu(['diff', 'amd.dte', '0x6000000003274603 0x2', '0'])
    expect(stdout).toMatch(/store {2}words 0 and 1 = [\s\S]*\(DMA passes untranslated\)/)
    expect(await ask('amd.dte', '0x6000000003274603 0x2', '0x1')).toMatchObject({ stores: [{ live: false, instead: 'DMA is refused' }] })
  })

  test('nothing to do, and an entry whose changes nobody plans', async () => {
    expect((await iommu(['diff', 'vtd.pasid', '0', '0'])).stdout).toBe('vtd.pasid: nothing differs\n')
    expect(await iommu(['diff', 'vtd.cap', '0', '1'])).toMatchObject({
      code: 2, stderr: 'iommu diff: the arguments, the name of the entry: expected one whose changes the driver plans: vtd.context, vtd.sm-context, vtd.pasid, found "vtd.cap"\n',
    })
    expect((await iommu(['diff', 'vtd.pasid', '0'])).code).toBe(2)
  })
})
