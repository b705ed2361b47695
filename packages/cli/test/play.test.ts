// What play writes: a film that fits a terminal, and whether the contract held.
import { describe, expect, test } from 'vitest'
import { fits, iommu, json } from './command.js'

describe('play', () => {
  test('VT-d, a PASID from paging to blocked', async () => {
    const { code, stdout } = await iommu(['play', 'driver-intel-vtd', '--from', 'paging', '--to', 'blocked', '--pasid', '5'])
    expect(code).toBe(0)
    expect(stdout).toMatchInlineSnapshot(`
      "driver-intel-vtd, scalable mode: 00:04.0 PASID 5 from first-stage-4 to blocked
        DMA 1  read of 0x100000 by 00:04.0 PASID 5: 0x880000 -> blocked (the PASID
                    entry is not present)

                  -> DMA 1: old
        1  store  vtd.pasid at 0x201f140, word 0 = 0x000000000000004c
                    P  0x1 -> 0x0
                  -> DMA 1: old or new
        2  order
        3  cmd    vtd.qi.pasid-cache  Type=7 G=PASID DID=3 PASID=5
        4  cmd    vtd.qi.wait  Type=5 IF- SW+ FN+ PD- StatusData=2
                    StatusAddress=0x2002000
                  -> DMA 1: new
        5  cmd    vtd.qi.pasid-iotlb  Type=6 G=all of the PASID DID=3 PASID=5 AM=0 IH-
                    ADDR=0x0
        6  cmd    vtd.qi.wait  Type=5 IF- SW+ FN+ PD- StatusData=2
                    StatusAddress=0x2002000
        7  store  vtd.pasid at 0x201f140, word 1 = 0x0000000000000000
                    DID  0x3 -> 0x0
                    PWSNP  0x1 -> 0x0
        8  store  vtd.pasid at 0x201f140, word 2 = 0x0000000000000000
                    FSPTPTR  0x2018000 -> 0x0
        9  store  vtd.pasid at 0x201f140, word 0 = 0x0000000000000000
                    AW  57-bit, 5-level -> 0x0
                    PGTT  first stage -> 0x0

      4 stores, 4 commands
      held at every step: old or new, and nothing stale at the end
      "
    `)
    expect(fits(stdout)).toEqual([])
  })

  test('a broken variant: exit code 1, and what could be met', async () => {
    const { code, stdout } = await iommu(['play', 'driver-intel-vtd', '--variant', 'present-first', '--from', 'blocked', '--to', 'second-stage-4'])
    expect(code).toBe(1)
    expect(stdout).toContain('NEITHER')
    expect(stdout).toContain('NOT HELD')
    expect(fits(stdout)).toEqual([])
  })

  test('--json is the film', async () => {
    const film = await json(['play', 'driver-arm-smmuv3', '--from', 'identity', '--to', 'paging'])
    expect(film).toMatchObject({ schema: 'iommu.play/1', driver: 'driver-arm-smmuv3', from: 'identity', to: 'stage-1-4k', held: true, interrupted: false })
    expect(Object.keys((film['frames'] as object[])[1] ?? {})).toEqual(expect.arrayContaining(['store', 'changed', 'dma']))
  })

  test.each([
    [['driver-intel-vtd'], 'expected a driver and two states'],
    [['driver-intel-vtd', '--from', 'blocked', '--to', 'nothing'], 'there is no state "nothing" here'],
    [['driver-intel-vtd', '--from', 'blocked', '--to', 'identity', '--on', 'legcy mode'], 'did you mean legacy mode?'],
    [['driver-intel-vtd', '--from', 'blocked', '--to', 'identity', '--variant', 'present-frist'], 'did you mean present-first?'],
    [['driver-intel-vtd', '--from', 'blocked', '--to', 'identity', '--pasid', '-1'], 'pasid'],
    [['driver-intel-vtd', '--from', 'blocked', '--to', 'identity', '--on', 'legacy mode', '--pasid', '3'], 'has no PASIDs on legacy mode'],
  ])('%s is bad usage', async (args, says) => {
    const { code, stderr } = await iommu(['play', ...args])
    expect(code).toBe(2)
    expect(stderr).toContain(says)
  })
})
