// What QEMU records of a DMA that it refuses in two halves.
import { expect, test } from 'vitest'
import type { RecordedFault } from '@iommu/machine-qemu'
import { ofWholeDma } from '../src/halves.js'

const fault = (address: bigint, change: Partial<RecordedFault> = {}): RecordedFault =>
  ({ source: 0x20, address, access: 'write', code: 0x10, recorded: true, name: 'F_TRANSLATION', fields: { S2: 0 }, ...change })

test('records of both halves are one', () => {
  expect(ofWholeDma([fault(0x1000n), fault(0x1004n)])).toEqual([fault(0x1000n)])
  expect(ofWholeDma([fault(0n), fault(0n)])).toEqual([fault(0n)])
  const twice = [fault(0n, { code: 4 }), fault(0n, { code: 2 }), fault(0n, { code: 4 }), fault(0n, { code: 2 })]
  expect(ofWholeDma(twice).map(({ code }) => code)).toEqual([4, 2])
})

test('what differs stays as it is', () => {
  const apart = [
    [fault(0x1000n)], [fault(0x1000n), fault(0x1008n)], [fault(0x1000n), fault(0x1004n, { code: 0x13 })],
    [fault(0x1000n), fault(0x1004n, { source: 0x28 })], [fault(0x1000n), fault(0x1004n, { fields: { S2: 1 } })],
    [fault(0x1000n), fault(0x1004n), fault(0x2000n)],
  ]
  for (const each of apart) expect(ofWholeDma(each)).toEqual(each)
})
