// How a unit goes on, as literal register writes, and what is said of one that does not follow.
import { describe, expect, test } from 'vitest'
import { createRegisters } from '@iommu/hardware'
import type { Machine } from '@iommu/hardware'
import { hex } from '../../../tools/driver-tests/spell.js'
import { enableCommandQueue, enableFaultQueue, setDirectory, setFeatures } from '../src/programming/registers.js'
import { OFFSETS } from '../src/tables/index.js'

interface Played { readonly machine: Machine; readonly did: string[]; ticks(): number }

/** A unit whose registers begin with some values; `answer` says what a register reads after a write, or so many ticks later. */
const played = (
  begin: Readonly<Record<number, bigint>> = {}, answer: (offset: number, value: bigint) => bigint = (_offset, value) => value, patience = 0,
): Played => {
  const values = new Map(Object.entries(begin).map(([offset, value]) => [Number(offset), value]))
  const late: (() => void)[] = []
  const did: string[] = []
  let ticks = 0
  const registers = createRegisters({
    read: (offset) => values.get(offset) ?? 0n,
    write(offset, bits, value) {
      did.push(`${bits} ${hex(offset, value)}`)
      const take = (): void => void values.set(offset, answer(offset, value))
      if (patience === 0) take()
      else late.push(take)
    },
    tick: () => {
      if (++ticks % patience === 0) for (const take of late.splice(0)) take()
    },
  })
  return { machine: { registers } as unknown as Machine, did, ticks: () => ticks }
}

/** On (16) follows enable (0). */
const follows = (_offset: number, value: bigint): bigint => value | ((value & 1n) << 16n)
const [ON, BUSY] = [0x1_0001n, 0x2_0000n]

describe.each([
  ['command queue', enableCommandQueue, OFFSETS.cqcsr, 'cqcsr.cqon', ['64 0x18 0x40006', '32 0x24 0x0']],
  ['fault queue', enableFaultQueue, OFFSETS.fqcsr, 'fqcsr.fqon', ['64 0x28 0x40006', '32 0x30 0x0']],
] as const)('the %s', (_what, enable, status, name, between) => {
  const at = `32 ${hex(status)}`
  test('is off while it is pointed elsewhere, and empty', () => {
    const { machine, did } = played({ [status]: ON }, follows)
    enable(machine, 0x10_0000n, 7)
    expect(did).toEqual([`${at} 0x0`, ...between, `${at} 0x1`])
  })
  test.each([
    ['stays 1', ON, (_offset: number, _value: bigint): bigint => ON, 'status 0x10001'],
    ['stays 1', 0n, (_offset: number, _value: bigint): bigint => BUSY, 'status 0x20000'],
    ['stays 0', 0n, (_offset: number, value: bigint): bigint => value, 'status 0x1'],
    ['stays 0', 0n, (_offset: number, value: bigint): bigint => (value === 1n ? ON | BUSY : value), 'status 0x30001'],
  ])('that %s is ENODEV (%#)', (stays, begin, answer, status32) => {
    const { machine } = played({ [status]: begin }, (offset, value) => (offset === status ? answer(offset, value) : value))
    expect(() => { enable(machine, 0x10_0000n, 7) }).toThrow(`ENODEV: the unit does not acknowledge: ${name} ${stays} (${status32})`)
  })
})

describe('the directory', () => {
  test('is set once what was written before has been carried out, and the mode in force is answered', () => {
    const { machine, did } = played({ [OFFSETS.ddtp]: 2n }, (_offset, value) => (value & ~0xfn) | 3n)
    expect(setDirectory(machine, 4, 0x20_0000n)).toBe(3)
    expect(did).toEqual(['64 0x10 0x80004'])
  })
  test('a unit that is busy is waited for, and ENODEV where it stays so', () => {
    const stuck = played({ [OFFSETS.ddtp]: 0x10n })
    expect(() => setDirectory(stuck.machine, 4, 0n)).toThrow('ENODEV: the unit does not acknowledge: ddtp.busy stays 1')
    expect([stuck.did, stuck.ticks()]).toEqual([[], 999])
    const later = played({}, () => 0x14n)
    expect(() => setDirectory(later.machine, 4, 0n)).toThrow('ENODEV: the unit does not acknowledge: ddtp.busy stays 1')
  })
})

describe('features', () => {
  test('are little-endian tables, and second stages of 64 bits', () => {
    const { machine, did } = played({ [OFFSETS.fctl]: 5n })
    setFeatures(machine)
    expect(did).toEqual(['32 0x8 0x0'])
  })
  test('that cannot change are ENODEV', () => {
    expect(() => { setFeatures(played({}, () => 1n).machine) }).toThrow('ENODEV: the unit is big-endian and cannot change')
    expect(() => { setFeatures(played({}, () => 4n).machine) }).toThrow('ENODEV: the unit has 32-bit second stages only')
  })
})
