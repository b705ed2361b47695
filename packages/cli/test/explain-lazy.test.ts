// What `iommu explain` loads: the vendor that a line speaks of, and nothing else. Layouts take time to prove themselves.
import { beforeEach, expect, test, vi } from 'vitest'
import { iommu } from './command.js'

const { loaded, never } = vi.hoisted(() => {
  const names: string[] = []
  return {
    loaded: names,
    never: (name: string): never => {
      names.push(name)
      throw new Error(`${name} was loaded`)
    },
  }
})
vi.mock('@iommu/conformance', () => never('the suite'))
vi.mock('@iommu/core/variants', () => never('the core layer\'s mutants'))
vi.mock('@iommu/driver-intel-vtd/variants', () => never('VT-d\'s mutants'))
vi.mock('@iommu/driver-amd-vi/tables', () => never('AMD-Vi'))
vi.mock('@iommu/driver-arm-smmuv3/tables', () => never('SMMUv3'))
vi.mock('@iommu/driver-riscv/tables', () => never('RISC-V'))

beforeEach(() => { loaded.length = 0 })

test.each([
  ['DMAR: [DMA Read NO_PASID] Request device [03:00.0] fault addr 0x1000 [fault reason 0x06] x'], ['vtd.pasid.PGTT'], ['vtd:0x59'],
])('%s loads its own vendor', async (question) => {
  expect(await iommu(['explain', question])).toMatchObject({ code: 0, stderr: '' })
  expect(loaded).toEqual([])
})

test('a log that speaks of nobody loads nobody', async () => {
  expect((await iommu(['explain', '-'], 'usb 1-1: new device\n')).code).toBe(0)
  expect(loaded).toEqual([])
})

test.each([['riscv.dc.tc', 'RISC-V'], ['amd.dte', 'AMD-Vi'], ['smmuv3.ste', 'SMMUv3'], ['C-PASID-03', 'the suite']])(
  'what %s needs is loaded, so the other tests can fail', async (question, name) => {
    expect((await iommu(['explain', question])).code).not.toBe(0)
    expect(loaded).toEqual([name])
  })
