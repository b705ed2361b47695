// How an SMMU goes on, as literal register writes, and what is said of one that does not follow.
import { expect, test } from 'vitest'
import { createRegisters } from '@iommu/hardware'
import type { Machine } from '@iommu/hardware'
import { hex } from '../../../tools/driver-tests/spell.js'
import { abortWhileOff, enableInterrupts, setAttributes, setEnables, setQueue, setStreamTable } from '../src/programming/registers.js'
import { OFFSETS } from '../src/tables/index.js'

interface Played { readonly machine: Machine; readonly did: string[] }

/** An SMMU that acknowledges at once, or never. `gbpa`: what GBPA reads; `busy`: for so many reads its update is under way. */
const played = (
  { follows = true, gbpa = 0n, busy = [0, 0] }: { readonly follows?: boolean; readonly gbpa?: bigint; readonly busy?: readonly number[] } = {},
): Played => {
  const values = new Map<number, bigint>([[OFFSETS.GBPA, gbpa]])
  const did: string[] = []
  const left = [...busy]
  const acknowledges: Readonly<Record<number, number>> = { [OFFSETS.CR0]: OFFSETS.CR0ACK, [OFFSETS.IRQ_CTRL]: OFFSETS.IRQ_CTRLACK }
  const registers = createRegisters({
    read(offset) {
      const value = values.get(offset) ?? 0n
      if (offset !== OFFSETS.GBPA || (left[0] ?? 0) === 0) return value
      left[0] = (left[0] as number) - 1
      return value | (1n << 31n)
    },
    write(offset, bits, value) {
      did.push(`${bits} ${hex(offset, value)}`)
      if (offset === OFFSETS.GBPA) {
        values.set(offset, value & ~(1n << 31n))
        left.shift()
        return
      }
      values.set(offset, value)
      const acknowledgement = acknowledges[offset]
      if (acknowledgement !== undefined && follows) values.set(acknowledgement, value)
    },
  })
  return { machine: { registers } as unknown as Machine, did }
}
const did = (act: (machine: Machine) => void): string[] => {
  const { machine, did: written } = played()
  act(machine)
  return written
}

test('enables are written whole, and waited for', () => {
  expect(did((machine) => { setEnables(machine, { CMDQEN: 1, EVENTQEN: 1 }) })).toEqual(['32 0x20 0xc'])
  expect(() => { setEnables(played({ follows: false }).machine, { SMMUEN: 1 }) })
    .toThrow('ENODEV: the SMMU does not acknowledge CR0 (written 0x1, acknowledged 0x0)')
})
test('interrupts of events and of errors', () => {
  expect(did(enableInterrupts)).toEqual(['32 0x50 0x5'])
  expect(() => { enableInterrupts(played({ follows: false }).machine) })
    .toThrow('ENODEV: the SMMU does not acknowledge IRQ_CTRL (written 0x5, acknowledged 0x0)')
})
test('attributes: write-back, inner-shareable; streams beyond the table are recorded', () => {
  expect(did(setAttributes)).toEqual(['32 0x28 0xd75', '32 0x2c 0x6'])
})
test('the stream table, and how it is looked up', () => {
  expect(did((machine) => { setStreamTable(machine, 0x4454_0000n, { FMT: 1, SPLIT: 8, LOG2SIZE: 16 }) }))
    .toEqual(['64 0x80 0x4000000044540000', '32 0x88 0x10210'])
})
test('queues begin empty', () => {
  expect(did((machine) => { setQueue(machine, 'CMDQ', 0x4450_0000n, 8) })).toEqual(['64 0x90 0x4000000044500008', '32 0x98 0x0', '32 0x9c 0x0'])
  expect(did((machine) => { setQueue(machine, 'EVENTQ', 0x4450_0000n, 7) })).toEqual(['64 0xa0 0x4000000044500007', '32 0x100a8 0x0', '32 0x100ac 0x0'])
})

test('GBPA: abort, the rest as it is, once an update before has been made, and waited for', () => {
  const { machine, did: written } = played({ gbpa: 0x1000n, busy: [3, 3] })
  abortWhileOff(machine)
  expect(written).toEqual(['32 0x44 0x80101000'])
})
test('ENODEV where GBPA is not taken, before or after', () => {
  const before = played({ busy: [5000, 0] })
  expect(() => { abortWhileOff(before.machine) }).toThrow('ENODEV: the SMMU does not take GBPA (gbpa 0x80000000)')
  expect(before.did).toEqual([])
  expect(() => { abortWhileOff(played({ busy: [0, 5000] }).machine) }).toThrow('ENODEV: the SMMU does not take GBPA (gbpa 0x80100000)')
})
