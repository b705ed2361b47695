// What each bit of the capability registers means, one at a time: it changes what it is about, and nothing else.
import { expect, test } from 'vitest'
import { withBits } from '../../../tools/driver-tests/layouts.js'
import { commands, pasidBitsOfLevels, platformWords, readCapabilities, widthOfMode } from '../src/tables/index.js'
import type { Capabilities } from '../src/tables/index.js'

const nothing: Capabilities = {
  hostLevels: 4, guest: false, guestLevels: [], gcr3Levels: 1, pasidBits: 0, guestIo: false, notPresentCache: false, deviceTlb: false,
  invalidateAll: false, noExecute: false, hostAccess: false, hostDirty: false,
}
const guest = { guest: true, guestLevels: [4], pasidBits: 1 } as const

test('of nothing', () => expect(readCapabilities(0n, 0)).toEqual(nothing))

// Bits as Linux's FEATURE_* macros take them (amd_iommu_types.h). Guest translation (4) is what PASIDs and GIoV are in.
test.each<[string, number[], Partial<Capabilities>]>([
  ['NX', [3], { noExecute: true }],
  ['GT', [4], guest],
  ['IA', [6], { invalidateAll: true }],
  ['HATS of 5 levels', [10], { hostLevels: 5 }],
  ['HATS of 6 levels', [11], { hostLevels: 6 }],
  ['HATS of none', [10, 11], { hostLevels: 0 }],
  ['GATS without GT', [12], {}],
  ['GATS of 5 levels', [4, 12], { ...guest, guestLevels: [4, 5] }],
  ['GATS that is not known', [4, 13], guest],
  ['GLX of 2 levels', [14], { gcr3Levels: 2 }],
  ['GLX of 3 levels', [15], { gcr3Levels: 3 }],
  ['GLX that is reserved', [14, 15], { gcr3Levels: 3 }],
  ['PASMAX without GT', [32, 33], {}],
  ['PASMAX', [4, 32, 33], { ...guest, pasidBits: 4 }],
  ['GIOSUP without GT', [48], {}],
  ['GIOSUP', [4, 48], { ...guest, guestIo: true }],
  ['HASUP', [49], { hostAccess: true }],
  ['HDSUP', [52], { hostDirty: true }],
])('FEATURE_%s', (_name, bits, changed) => expect(readCapabilities(withBits(...bits), 0)).toEqual({ ...nothing, ...changed }))

// IOMMU_CAP_IOTLB and IOMMU_CAP_NPCACHE.
test.each<[string, number, Partial<Capabilities>]>([
  ['IOTLB', 24, { deviceTlb: true }], ['NPCACHE', 26, { notPresentCache: true }],
])('IOMMU_CAP_%s', (_name, bit, changed) => expect(readCapabilities(0n, 2 ** bit)).toEqual({ ...nothing, ...changed }))

test('widths: 6 levels stand for all 64 bits', () => {
  expect([[4, 5, 6].map(widthOfMode), [1, 2, 3].map(pasidBitsOfLevels)]).toEqual([[48, 57, 64], [9, 18, 27]])
})
test('what DMA\'s side leaves alone in an entry: the interrupt half, and system management', () => {
  const ones = (1n << 64n) - 1n
  // SysMgt 105:104 and IV 128 among them; V, TV, the roots and GuestPagingMode not.
  const [low, high, third, fourth] = platformWords([ones, ones, ones, ones]) as [bigint, bigint, bigint, bigint]
  expect([low & 0x60c0_0000_ffff_f003n, high & 0x300_0000_0000n, high & 0xffffn, third & 1n, fourth]).toEqual([0n, 0x300_0000_0000n, 0n, 1n, 0n])
  expect(platformWords([0n, 0n, 0n, 0n])).toEqual([0n, 0n, 0n, 0n])
})
test('commands by their opcode', () => {
  expect(Object.entries(commands).map(([opcode, { title }]) => `${opcode} ${title}`)).toEqual([
    '1 COMPLETION_WAIT', '2 INVALIDATE_DEVTAB_ENTRY', '3 INVALIDATE_IOMMU_PAGES', '4 INVALIDATE_IOTLB_PAGES', '5 INVALIDATE_INTERRUPT_TABLE',
    '6 PREFETCH_IOMMU_PAGES', '7 COMPLETE_PPR_REQUEST', '8 INVALIDATE_IOMMU_ALL',
  ])
})
