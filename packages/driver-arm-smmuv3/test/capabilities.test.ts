// What each bit of the identification registers means, one at a time: it changes what it is about, and nothing else.
import { expect, test } from 'vitest'
import { withBits } from '../../../tools/driver-tests/layouts.js'
import { granuleOf, outputSizeOf, readCapabilities } from '../src/tables/index.js'
import type { Capabilities } from '../src/tables/index.js'

const nothing: Capabilities = {
  stage1: false, stage2: false, aarch64: false, littleEndian: true, coherent: false, flagUpdates: 0, hypervisor: false, ats: false,
  splitStageAts: false, pri: false, asidBits: 8, vmidBits: 8, twoLevelContexts: false, twoLevelStreams: false, stalls: 'optional',
  abortOnly: false, streamBits: 0, substreamBits: 0, commandQueue: 0, eventQueue: 0, pageRequestQueue: 0, attributeOverride: false,
  presetTables: false, presetQueues: false, hierarchicalAttributesDisable: false, forceWriteBack: false, smallTables: false,
  rangeInvalidation: false, breakBeforeMakeLevel: 0, permissionTable: false, outputBits: 32, inputBits: 48, granules: [], mostStalled: 0,
}
const none = { IDR0: 0, IDR1: 0, IDR3: 0, IDR5: 0 }

test('of nothing', () => expect(readCapabilities(none)).toEqual(nothing))

// Bits as IHI0070 6.3.1, 6.3.2, 6.3.4 and 6.3.6 have them.
test.each<[keyof typeof none, string, number[], Partial<Capabilities>]>([
  ['IDR0', 'S2P', [0], { stage2: true }],
  ['IDR0', 'S1P', [1], { stage1: true }],
  ['IDR0', 'TTF of AArch32', [2], {}],
  ['IDR0', 'TTF of AArch64', [3], { aarch64: true }],
  ['IDR0', 'TTF of both', [2, 3], { aarch64: true }],
  ['IDR0', 'COHACC', [4], { coherent: true }],
  ['IDR0', 'HTTU', [7], { flagUpdates: 2 }],
  ['IDR0', 'HYP', [9], { hypervisor: true }],
  ['IDR0', 'ATS', [10], { ats: true, splitStageAts: true }],
  ['IDR0', 'NS1ATS', [11], {}],
  ['IDR0', 'ATS with NS1ATS', [10, 11], { ats: true }],
  ['IDR0', 'ASID16', [12], { asidBits: 16 }],
  ['IDR0', 'PRI', [16], { pri: true }],
  ['IDR0', 'VMID16', [18], { vmidBits: 16 }],
  ['IDR0', 'CD2L', [19], { twoLevelContexts: true }],
  ['IDR0', 'TTENDIAN of little', [22], {}],
  ['IDR0', 'TTENDIAN of big', [21, 22], { littleEndian: false }],
  ['IDR0', 'STALL_MODEL of none', [24], { stalls: 'never' }],
  ['IDR0', 'STALL_MODEL of force', [25], { stalls: 'always' }],
  ['IDR0', 'TERM_MODEL', [26], { abortOnly: true }],
  ['IDR0', 'ST_LEVEL', [27], { twoLevelStreams: true }],
  ['IDR1', 'SIDSIZE', [4], { streamBits: 16 }],
  ['IDR1', 'SSIDSIZE', [8, 10], { substreamBits: 20 }],
  ['IDR1', 'PRIQS', [11, 12], { pageRequestQueue: 3 }],
  ['IDR1', 'EVENTQS', [16, 17, 20], { eventQueue: 19 }],
  ['IDR1', 'CMDQS', [21, 22, 25], { commandQueue: 19 }],
  ['IDR1', 'ATTR_TYPES_OVR', [27], { attributeOverride: true }],
  ['IDR1', 'QUEUES_PRESET', [29], { presetQueues: true }],
  ['IDR1', 'TABLES_PRESET', [30], { presetTables: true }],
  ['IDR1', 'ECMDQ', [31], {}],
  ['IDR3', 'HAD', [2], { hierarchicalAttributesDisable: true }],
  ['IDR3', 'FWB', [8], { forceWriteBack: true }],
  ['IDR3', 'STT', [9], { smallTables: true }],
  ['IDR3', 'RIL', [10], { rangeInvalidation: true }],
  ['IDR3', 'BBML', [12], { breakBeforeMakeLevel: 2 }],
  ['IDR3', 'DPT', [15], { permissionTable: true }],
  ['IDR5', 'OAS', [0, 2], { outputBits: 48 }],
  ['IDR5', 'GRAN4K', [4], { granules: [12] }],
  ['IDR5', 'GRAN16K', [5], { granules: [14] }],
  ['IDR5', 'GRAN64K', [6], { granules: [16] }],
  ['IDR5', 'VAX', [10], { inputBits: 52 }],
  ['IDR5', 'STALL_MAX', [16, 31], { mostStalled: 0x8001 }],
])('%s %s', (register, _name, bits, changed) => {
  expect(readCapabilities({ ...none, [register]: Number(withBits(...bits)) })).toEqual({ ...nothing, ...changed })
})

test('output sizes: the largest that is not wider', () => {
  expect([32, 35, 36, 40, 42, 44, 47, 48, 52, 56, 57].map(outputSizeOf)).toEqual([0, 0, 1, 2, 3, 4, 4, 5, 6, 7, 7])
})
test('granules by TG0 and S2TG', () => expect([0, 1, 2, 3].map(granuleOf)).toEqual([12, 16, 14, undefined]))
