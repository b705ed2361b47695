// What drivers writes.
import { describe, expect, test } from 'vitest'
import { fits, iommu, json } from './command.js'

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
