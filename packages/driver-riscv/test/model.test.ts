// The model against what the specification's reference model answered to the same tables, its checks one by one, and what it logs.
import { encode } from '@iommu/bits'
import type { DmaRequest } from '@iommu/hardware'
import { riscvEntry } from '@iommu/page-table'
import { describe, expect, test } from 'vitest'
import { putWords, requestsOf } from '../../../tools/driver-tests/dma.js'
import { hex } from '../../../tools/driver-tests/spell.js'
import { createRiscvMachine } from '../src/model/index.js'
import type { Profile, RiscvMachine } from '../src/model/index.js'
import {
  baseDeviceContext, deviceContext, deviceDirectoryEntry, directoryPointer, faultQueueStatus, OFFSETS, processContext, queueBase,
} from '../src/tables/index.js'
import { made as driven, NO_PASIDS, read } from './scene.js'

const DID = 0x110
const IOVA = 0x20_0000n
const [ROOT, MIDDLE, CONTEXTS, PROCESSES, FAULTS] = [0x210_0000n, 0x210_1000n, 0x210_2000n, 0x210_3000n, 0x210_4000n]
const [TABLE, SECOND] = [0x211_0000n, 0x212_0000n]
/** Where the context of DID is in the last level: 64 bytes each. */
const CONTEXT = CONTEXTS + 0x10n * 64n

type Values = Parameters<typeof encode<typeof deviceContext.fields>>[1]

/** A unit with a three-level directory in which DID has a context, and a fault queue. */
const made = (context: Values, profile: Partial<Profile> = {}): RiscvMachine => {
  const machine = createRiscvMachine({ profile })
  const { registers } = machine
  putWords(machine, ROOT, encode(deviceDirectoryEntry, { V: 1, PPN: MIDDLE }))
  putWords(machine, MIDDLE + 4n * 8n, encode(deviceDirectoryEntry, { V: 1, PPN: CONTEXTS }))
  putWords(machine, CONTEXT, encode(deviceContext, context))
  registers.write64(OFFSETS.fqb, encode(queueBase, { LOG2SZ: 6, PPN: FAULTS })[0] as bigint)
  registers.write32(OFFSETS.fqcsr, Number(encode(faultQueueStatus, { fqen: 1 })[0]))
  registers.write64(OFFSETS.ddtp, encode(directoryPointer, { MODE: 4, PPN: ROOT })[0] as bigint)
  return machine
}
const request = (more: Partial<DmaRequest> = {}): DmaRequest => requestsOf(DID)(IOVA, more)
/** The first record as the queue holds it: dword 0, iotval, iotval2. */
const recorded = (machine: RiscvMachine, more: Partial<DmaRequest>): readonly string[] => {
  machine.dma(request(more))
  expect(machine.registers.read32(OFFSETS.fqt)).toBe(1)
  return [0n, 16n, 24n].map((at) => `0x${machine.memory.load64(FAULTS + at).toString(16).padStart(16, '0')}`)
}
const answer = (machine: RiscvMachine, more: Partial<DmaRequest> = {}): string | number => {
  const outcome = machine.dma(request(more))
  return outcome.result === 'blocked' ? outcome.fault?.code ?? 'silent' : hex(outcome.address)
}
const directory: Values = { V: 1, PDTV: 1, DPE: 1, FSC_MODE: 1, FSC_PPN: PROCESSES }

describe('records are those of the reference model', () => {
  const cases: readonly (readonly [string, Values, Partial<DmaRequest>, string, string?])[] = [
    ['blocked, write', {}, { access: 'write' }, '0x0001100c00000102'],
    ['identity, PASID 5', { V: 1 }, { pasid: 5 }, '0x0001100900005104'],
    ['identity, translated', { V: 1 }, { kind: 'translated' }, '0x0001101800000104'],
    ['identity, ATS request', { V: 1 }, { kind: 'translate' }, '0x0001102000000104'],
    ['no process context 0, write', directory, { access: 'write' }, '0x0001100c0000010a'],
    ['no process context 0x24', directory, { pasid: 0x24 }, '0x000110090002410a'],
    ['PASID 300 in 8 bits, write', directory, { pasid: 300, access: 'write' }, '0x0001100d0012c104'],
    ['second stage without mapping, write', { V: 1, IOHGATP_MODE: 8, GSCID: 7, IOHGATP_PPN: SECOND }, { access: 'write' }, '0x0001100c00000017', '0x0000000000200000'],
    [
      'first stage at a guest address without mapping, write',
      { V: 1, IOHGATP_MODE: 8, GSCID: 7, IOHGATP_PPN: SECOND, FSC_MODE: 8, FSC_PPN: 0x7000n }, { access: 'write' },
      '0x0001100c00000017', '0x0000000000007001',
    ],
  ]
  test.each(cases.map((each) => [each[0], each] as const))('%s', (_name, [, context, more, word, guest = '0x0000000000000000']) => {
    const machine = made(context)
    expect(recorded(machine, more)).toEqual([word, '0x0000000000200000', guest])
  })
  test('off, and a supervisor where the process context allows none', () => {
    const off = made({ V: 1 })
    off.registers.write64(OFFSETS.ddtp, 0n)
    expect(recorded(off, {})[0]).toBe('0x0001100800000100')
    const machine = made(directory)
    putWords(machine, PROCESSES + 0x230n, encode(processContext, { V: 1 }))
    expect(recorded(machine, { pasid: 0x23, privileged: true, access: 'write' })[0]).toBe('0x0001100f00023104')
  })
})

describe('a device context that is programmed wrongly is cause 259', () => {
  const wrong: readonly (readonly [string, Values])[] = [
    ['an unknown first-stage mode', { FSC_MODE: 11 }], ['an unknown directory mode', { PDTV: 1, FSC_MODE: 4 }],
    ['an unknown second-stage mode', { IOHGATP_MODE: 11 }], ['a second-stage root that is not aligned', { IOHGATP_MODE: 8, IOHGATP_PPN: SECOND + 0x1000n }],
    ['DPE without PDTV', { DPE: 1 }], ['PRPR without EN_PRI', { EN_ATS: 1, PRPR: 1 }], ['EN_PRI without EN_ATS', { EN_PRI: 1 }],
    ['T2GPA without the capability', { EN_ATS: 1, T2GPA: 1, IOHGATP_MODE: 8, IOHGATP_PPN: SECOND }], ['SADE without AMO_HWAD', { SADE: 1 }],
    ['SBE', { SBE: 1 }], ['SXL', { SXL: 1 }], ['RCID without QOSID', { RCID: 1 }],
    ['an MSI table without a second stage', { MSIPTP_MODE: 1 }], ['an unknown MSI mode', { MSIPTP_MODE: 2 }],
  ]
  test.each(wrong)('%s', (_name, context) => expect(answer(made({ V: 1, ...context }))).toBe(259))
  test.each([12, 32, 128, 168 - 1, 192 + 44, 448])('reserved bit %i', (at) => {
    const machine = made({ V: 1 })
    const place = CONTEXT + BigInt(Math.floor(at / 64) * 8)
    machine.memory.store64(place, machine.memory.load64(place) | (1n << BigInt(at % 64)))
    expect(answer(machine)).toBe(259)
  })
  test('custom bits of tc are not checked, and nothing is while V is 0', () => {
    const machine = made({ V: 1 })
    machine.memory.store64(CONTEXT, 0xff00_0001n)
    expect(answer(machine)).toBe('0x200000')
    for (let word = 0n; word < 8n; word++) machine.memory.store64(CONTEXT + word * 8n, word === 0n ? 0xffff_ffff_ffff_fffen : (1n << 64n) - 1n)
    // The kept copy is of the context as it was.
    machine.caches.devices.drop(() => true)
    expect(answer(machine)).toBe(258)
  })
})

describe('leaves', () => {
  type Leaf = Parameters<typeof encode<typeof riscvEntry.fields>>[1]
  const good: Leaf = { V: 1, R: 1, W: 1, U: 1, A: 1, D: 1, PPN: 0x8045_6000n }
  /** Sv39 with one entry for IOVA at level 1, 2 or 3. */
  const paging = (leaf: Leaf, level = 1, profile: Partial<Profile> = {}): RiscvMachine => {
    const machine = made({ V: 1, PSCID: 5, FSC_MODE: 8, FSC_PPN: TABLE, SADE: profile.accessedDirty === true ? 1 : 0 }, profile)
    const tables = [TABLE, TABLE + 0x1000n, TABLE + 0x2000n]
    const indexes = [0n, 1n, 0n]
    for (let depth = 0; depth <= 3 - level; depth++) {
      const [word] = depth === 3 - level ? encode(riscvEntry, leaf) : encode(riscvEntry, { V: 1, PPN: tables[depth + 1] as bigint })
      machine.memory.store64((tables[depth] as bigint) + (indexes[depth] as bigint) * 8n, word as bigint)
    }
    return machine
  }
  test('translate', () => expect(answer(paging(good), { address: IOVA + 0x123n })).toBe('0x80456123'))
  const causes: readonly (readonly [string, Leaf, number, number])[] = [
    ['not valid', { ...good, V: 0 }, 13, 15], ['W without R', { ...good, R: 0 }, 13, 15], ['not accessed', { ...good, A: 0 }, 13, 15],
    ['not a user\'s', { ...good, U: 0 }, 13, 15], ['an unknown memory type', { ...good, PBMT: 3 }, 13, 15],
    ['a size that NAPOT has not', { ...good, N: 1, PPN: 0x8045_4000n }, 13, 15],
  ]
  test.each(causes)('%s', (_name, leaf, reads, writes) => {
    expect(answer(paging(leaf))).toBe(reads)
    expect(answer(paging(leaf), { access: 'write' })).toBe(writes)
  })
  test('not dirty is no matter to reads', () => {
    expect(answer(paging({ ...good, D: 0 }))).toBe('0x80456000')
    expect(answer(paging({ ...good, D: 0 }), { access: 'write' })).toBe(15)
  })
  test('a reserved bit, and a memory type where the unit has none', () => {
    const machine = paging(good)
    machine.memory.store64(TABLE + 0x2000n, machine.memory.load64(TABLE + 0x2000n) | (1n << 54n))
    expect(answer(machine)).toBe(13)
    expect(answer(paging({ ...good, PBMT: 1 }))).toBe('0x80456000')
    expect(answer(paging({ ...good, PBMT: 1 }, 1, { memoryTypes: false }))).toBe(13)
  })
  test('64 KiB of NAPOT: the low page bits come from the address', () => {
    expect(answer(paging({ ...good, N: 1, PPN: 0x8045_8000n }), { address: IOVA })).toBe('0x80450000')
  })
  test('large ones, aligned or not', () => {
    expect(answer(paging({ ...good, PPN: 0x8040_0000n }, 2), { address: IOVA + 0x3000n })).toBe('0x80403000')
    expect(answer(paging({ ...good, PPN: 0x8040_1000n }, 2))).toBe(13)
  })
  test('addresses that are not canonical', () => {
    expect(answer(paging(good), { address: 1n << 39n })).toBe(13)
    expect(answer(paging(good), { address: 1n << 63n, access: 'write' })).toBe(15)
  })
  test('hardware that may sets A and D, and a clean leaf that was kept does not serve a write', () => {
    const machine = paging({ ...good, A: 0, D: 0 }, 1, { accessedDirty: true })
    const flags = (): bigint => machine.memory.load64(TABLE + 0x2000n) & 0xc0n
    expect([answer(machine), flags()]).toEqual(['0x80456000', 0x40n])
    expect([answer(machine, { access: 'write' }), flags()]).toEqual(['0x80456000', 0xc0n])
  })
})

test('the base format has contexts of half the size, and no bits beyond', () => {
  const machine = made({}, { extended: false })
  const at = CONTEXTS + 0x10n * 32n
  machine.memory.store64(MIDDLE + 2n * 8n, encode(deviceDirectoryEntry, { V: 1, PPN: CONTEXTS })[0] as bigint)
  putWords(machine, at, encode(baseDeviceContext, { V: 1 }))
  expect(answer(machine)).toBe('0x200000')
})

test('a process directory of mode Bare lets every PASID through', () => {
  const bare: Values = { V: 1, PDTV: 1, FSC_MODE: 0 }
  expect(answer(made(bare), { pasid: 5 })).toBe('0x200000')
  expect(answer(made(bare), { pasid: 0xf_ffff })).toBe('0x200000')
  expect(answer(made(bare))).toBe('0x200000')
  expect(answer(made({ V: 1 }), { pasid: 5 })).toBe(260)
})

test('the fault queue holds one record less than its size, then says that some were lost', () => {
  const { machine, driver } = driven(NO_PASIDS)
  for (let n = 0n; n < 130n; n++) machine.dma(read(0x1000n * n))
  const { faults, overflow } = driver.readFaults()
  expect([faults.length, overflow]).toEqual([127, true])
  expect(faults[1]).toEqual({ source: 0x110, address: 0x1000n, transaction: 'untranslated read', code: 258 })
  expect(driver.readFaults()).toEqual({ faults: [], overflow: false })
  machine.dma(read(0x9000n, { access: 'write' }))
  expect(driver.readFaults().faults).toMatchObject([{ address: 0x9000n, transaction: 'untranslated write' }])
})
