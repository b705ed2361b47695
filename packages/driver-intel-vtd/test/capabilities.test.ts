// What each bit of the capability registers means, one at a time: it changes what it is about, and nothing else.
import { expect, test } from 'vitest'
import { withBits } from '../../../tools/driver-tests/layouts.js'
import { addressWidthOf, descriptors, readCapabilities, widthOfLevels } from '../src/tables/index.js'
import type { Capabilities } from '../src/tables/index.js'

const nothing: Capabilities = {
  domainIds: 16, writeBufferFlush: false, cachingMode: false, secondStageLevels: [], guestAddressBits: 1, secondStageLeaves: [12],
  firstStageLeaves: [12, 21], firstStageLevels: [4], pageSelective: false, maxAddressMask: 0, faultRecords: 1, faultOffset: 0,
  rootPointerInvalidates: false, coherent: false, queuedInvalidation: false, deviceTlb: false, passThrough: false, snoopControl: false,
  scalable: false, firstStage: false, secondStage: true, nested: false, pasidBits: 0, ridPasid: false, scalableWalkCoherent: false,
  secondStageDirty: false, supervisorRequests: false, executeRequests: false, pageRequests: false,
}

test('of nothing', () => expect(readCapabilities(0n, 0n)).toEqual(nothing))

// Bits as Linux's cap_* macros take them (iommu.h).
test.each<[string, number[], Partial<Capabilities>]>([
  ['ndoms', [2, 1], { domainIds: 65536 }],
  ['rwbf', [4], { writeBufferFlush: true }],
  ['caching_mode', [7], { cachingMode: true }],
  ['sagaw of 3 levels', [9], { secondStageLevels: [3] }],
  ['sagaw of 4 and 5 levels', [10, 11], { secondStageLevels: [4, 5] }],
  ['mgaw', [16, 17, 18, 19, 21], { guestAddressBits: 48 }],
  ['fault_reg_offset', [25, 29], { faultOffset: 0x220 }],
  ['super_page of 2 MiB', [34], { secondStageLeaves: [12, 21] }],
  ['super_page of 1 GiB', [35], { secondStageLeaves: [12, 30] }],
  ['pgsel_inv', [39], { pageSelective: true }],
  ['num_fault_regs', [40, 41], { faultRecords: 4 }],
  ['max_amask_val', [49, 52], { maxAddressMask: 18 }],
  ['fl1gp_support', [56], { firstStageLeaves: [12, 21, 30] }],
  ['fl5lp_support', [60], { firstStageLevels: [4, 5] }],
  ['esrtps', [63], { rootPointerInvalidates: true }],
])('cap_%s', (_name, bits, changed) => expect(readCapabilities(withBits(...bits), 0n)).toEqual({ ...nothing, ...changed }))

// Scalable mode (43) is what the first stage (47), the second (46) and PASIDs (40) are in.
test.each<[string, number[], Partial<Capabilities>]>([
  ['coherent', [0], { coherent: true }],
  ['qis', [1], { queuedInvalidation: true }],
  ['dev_iotlb_support', [2], { deviceTlb: true }],
  ['pass_through', [6], { passThrough: true }],
  ['sc_support', [7], { snoopControl: true }],
  ['nest', [26], { nested: true }],
  ['prs', [29], { pageRequests: true }],
  ['ers', [30], { executeRequests: true }],
  ['srs', [31], { supervisorRequests: true }],
  ['pss', [35, 36], {}],
  ['pasid alone', [40], {}],
  ['pasid', [35, 36, 40, 43], { scalable: true, secondStage: false, pasidBits: 4 }],
  ['pss without pasid', [35, 36, 43], { scalable: true, secondStage: false }],
  ['smts', [43], { scalable: true, secondStage: false }],
  ['slads', [45], { secondStageDirty: true }],
  ['slts alone', [46], {}],
  ['slts', [43, 46], { scalable: true }],
  ['flts alone', [47], {}],
  ['flts', [43, 47], { scalable: true, firstStage: true, secondStage: false }],
  ['smpwc', [48], { scalableWalkCoherent: true }],
  ['rps', [49], { ridPasid: true }],
])('ecap_%s', (_name, bits, changed) => expect(readCapabilities(0n, withBits(...bits))).toEqual({ ...nothing, ...changed }))

test('levels, their widths and their numbers', () => {
  expect([3, 4, 5].map((levels) => [addressWidthOf(levels), widthOfLevels(levels)])).toEqual([[1, 39], [2, 48], [3, 57]])
})
test('descriptors by their type', () => {
  expect(Object.entries(descriptors).map(([type, { name }]) => `${type} ${name.slice(7)}`)).toEqual([
    '1 context-cache', '2 iotlb', '3 device-tlb', '4 iec', '5 wait', '6 pasid-iotlb', '7 pasid-cache', '8 pasid-device-tlb', '9 page-group-response',
  ])
})
