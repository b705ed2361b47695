// Tables at the far end of the address space, where frame numbers no longer fit 31 bits: a walk stays exact.
import { addresses } from '@iommu/hardware'
import type { HardwareView } from '@iommu/hardware'
import { expect, test } from 'vitest'
import { LEAF, UNREADABLE, createWalkResult, secondStage, walk } from '../src/index.js'

const format = secondStage({ levels: 3, leafShifts: [12, 21, 30], addressBits: 52, snoopControl: false })

/** A view of a few entries by "frame:index"; what is not listed is zero, and frames without an entry are no memory. */
const viewOf = (entries: Readonly<Record<string, bigint>>): HardwareView => {
  const frames = new Set(Object.keys(entries).map((place) => Number(place.split(':')[0])))
  const view = {
    low: 0,
    high: 0,
    has: (frame: number): boolean => frames.has(frame),
    load64: (address: bigint): bigint => entries[`${addresses.frameOf(address)}:${Number(address & 0xfffn) >> 3}`] ?? 0n,
    loadPair(frame: number, index: number): void {
      addresses.split(entries[`${frame}:${index}`] ?? 0n)
      view.low = addresses.low
      view.high = addresses.high
    },
  }
  return view
}

/** Either side of 2^31 frames, of 2^32 frames, and the last ones of 52 address bits. */
const roots = [2 ** 31 - 1, 2 ** 31, 2 ** 32 - 1, 2 ** 32 + 5, 2 ** 39 + 1, 2 ** 40 - 1]

test.each(roots)('a walk from a root in frame %i through tables below and above 2^31', (root) => {
  const near = 0x123
  const far = 2 ** 39 + 7
  const at = (frame: number): bigint => addresses.frameAddress(frame) | 3n
  const view = viewOf({ [`${root}:1`]: at(near), [`${near}:2`]: at(far), [`${far}:3`]: at(2 ** 40 - 2) })
  const result = createWalkResult()
  addresses.split((1n << 30n) | (2n << 21n) | (3n << 12n) | 0x18n)
  walk(format, view, root, addresses.low, addresses.high, result)
  expect(result).toMatchObject({ status: LEAF, level: 1, tableFrame: far, index: 3, frame: 2 ** 40 - 2, read: true, write: true })
  expect(addresses.join(result.physicalLow, result.physicalHigh)).toBe(addresses.frameAddress(2 ** 40 - 2) + 0x18n)
})

test.each(roots)('a table in frame %i that is not memory is named exactly', (missing) => {
  const result = createWalkResult()
  walk(format, viewOf({ '1:0': addresses.frameAddress(missing) | 3n }), 1, 0, 0, result)
  expect(result).toMatchObject({ status: UNREADABLE, level: 2, tableFrame: missing, index: 0 })
  walk(format, viewOf({}), missing, 0, 0, result)
  expect(result).toMatchObject({ status: UNREADABLE, level: 3, tableFrame: missing })
})
