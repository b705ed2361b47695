// What each bit of the capabilities register means, one at a time: it changes what it is about, and nothing else.
import { expect, test } from 'vitest'
import { withBits } from '../../../tools/driver-tests/layouts.js'
import { levelsOfMode, pagingMode, readCapabilities, widthOfLevels } from '../src/tables/index.js'
import type { Capabilities } from '../src/tables/index.js'

const nothing: Capabilities = {
  firstStageLevels: [], secondStageLevels: [], processLevels: [], extended: false, physicalBits: 0, ats: false, guestAts: false,
  accessedDirty: false, memoryTypes: false, softwareBits: false, qualityOfService: false, bothEndian: false, ranges: false, nonLeaf: false,
}

test('of nothing', () => expect(readCapabilities(0n)).toEqual(nothing))

// Bits as RISC-V IOMMU 1.0, section 5.3, has them; Linux has the same in RISCV_IOMMU_CAPABILITIES_*.
test.each<[string, number[], Partial<Capabilities>]>([
  ['Sv32', [8], {}],
  ['Sv39', [9], { firstStageLevels: [3] }],
  ['Sv48', [10], { firstStageLevels: [4] }],
  ['Sv57', [11], { firstStageLevels: [5] }],
  ['Svrsw60t59b', [14], { softwareBits: true }],
  ['Svpbmt', [15], { memoryTypes: true }],
  ['Sv39x4', [17], { secondStageLevels: [3] }],
  ['Sv48x4', [18], { secondStageLevels: [4] }],
  ['Sv57x4', [19], { secondStageLevels: [5] }],
  ['MSI_FLAT', [22], { extended: true }],
  ['AMO_HWAD', [24], { accessedDirty: true }],
  ['ATS', [25], { ats: true }],
  ['T2GPA', [26], { guestAts: true }],
  ['END', [27], { bothEndian: true }],
  ['PAS', [33, 34, 35, 37], { physicalBits: 46 }],
  ['PD8', [38], { processLevels: [1] }],
  ['PD17', [39], { processLevels: [2] }],
  ['PD20', [40], { processLevels: [3] }],
  ['QOSID', [41], { qualityOfService: true }],
  ['NL', [42], { nonLeaf: true }],
  ['S', [43], { ranges: true }],
])('%s', (_name, bits, changed) => expect(readCapabilities(withBits(...bits))).toEqual({ ...nothing, ...changed }))

test('modes of page tables, their levels and widths', () => {
  expect(([3, 4, 5] as const).map((levels) => [pagingMode(levels), widthOfLevels(levels, false), widthOfLevels(levels, true)]))
    .toEqual([[8, 39, 41], [9, 48, 50], [10, 57, 59]])
  expect([0, 7, 8, 9, 10, 11].map(levelsOfMode)).toEqual([undefined, undefined, 3, 4, 5, undefined])
})
