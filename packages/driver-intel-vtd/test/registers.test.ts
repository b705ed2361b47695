// How a unit goes on, as literal register writes, and what is said of one that does not follow.
import { expect, test } from 'vitest'
import { createRegisters } from '@iommu/hardware'
import type { Machine } from '@iommu/hardware'
import { hex } from '../../../tools/driver-tests/spell.js'
import { enableQueue, enableTranslation, flushWriteBuffer, setRootTable } from '../src/programming/registers.js'
import { OFFSETS } from '../src/tables/index.js'

/** A unit whose status follows its commands at once, or never. */
const played = (status: bigint, follows = true): { readonly machine: Machine; readonly did: string[] } => {
  const did: string[] = []
  let gsts = status
  const registers = createRegisters({
    read: (offset) => (offset === OFFSETS.GSTS ? gsts : 0n),
    write(offset, bits, value) {
      did.push(`${bits} ${hex(offset, value)}`)
      // WBF (27) is over at once; SRTP (30) stays as RTPS.
      if (offset === OFFSETS.GCMD && follows) gsts = (value & ~(1n << 27n)) | (gsts & (1n << 30n))
    },
  })
  return { machine: { registers } as unknown as Machine, did }
}

// GSTS bits: 23 compatibility interrupts, 25 remapping, 26 queue, 28 fault log, 30 root table, 31 translation.
const EVERYTHING_ON = 0xd680_0000n

test('a root table, by its mode', () => {
  const { machine, did } = played(0n)
  setRootTable(machine, 0x1234_5000n, true)
  setRootTable(machine, 0x1234_5000n, false)
  expect(did).toEqual(['64 0x20 0x12345400', '32 0x18 0x40000000', '64 0x20 0x12345000', '32 0x18 0x40000000'])
})
test('one-shot commands leave what is on as it is', () => {
  const { machine, did } = played(EVERYTHING_ON)
  setRootTable(machine, 0n, false)
  flushWriteBuffer(machine)
  expect(did).toEqual(['64 0x20 0x0', '32 0x18 0xd6800000', '32 0x18 0x9e800000'])
})
test('a queue is off while it is pointed elsewhere, and empty', () => {
  const { machine, did } = played(EVERYTHING_ON)
  enableQueue(machine, 0x6_7000n, 0, true)
  enableQueue(machine, 0x6_7000n, 2, false)
  expect(did).toEqual([
    '32 0x18 0x92800000', '64 0x88 0x0', '64 0x90 0x67800', '32 0x18 0x96800000',
    '32 0x18 0x92800000', '64 0x88 0x0', '64 0x90 0x67002', '32 0x18 0x96800000',
  ])
})
test('translation', () => {
  const { machine, did } = played(1n << 26n)
  enableTranslation(machine)
  expect(did).toEqual(['32 0x18 0x84000000'])
})
test.each<[string, bigint, (machine: Machine) => void]>([
  ['GSTS.RTPS stays 0 (gsts 0x0)', 0n, (machine) => { setRootTable(machine, 0n, false) }],
  ['GSTS.QIES stays 1 (gsts 0x4000000)', 1n << 26n, (machine) => { enableQueue(machine, 0n, 0, false) }],
  ['GSTS.QIES stays 0 (gsts 0x0)', 0n, (machine) => { enableQueue(machine, 0n, 0, false) }],
  ['GSTS.TES stays 0 (gsts 0x0)', 0n, (machine) => { enableTranslation(machine) }],
  ['GSTS.WBFS stays 1 (gsts 0x8000000)', 1n << 27n, (machine) => { flushWriteBuffer(machine) }],
])('ENODEV: %s', (sentence, status, act) => {
  expect(() => { act(played(status, false).machine) }).toThrow(`ENODEV: the unit does not acknowledge GCMD: ${sentence}`)
})
