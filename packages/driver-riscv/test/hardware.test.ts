// The driver against a unit that misbehaves, the words that it writes, and the faults that it reads.
import type { Device, PagingDomain } from '@iommu/core'
import type { DmaRequest } from '@iommu/hardware'
import { describe, expect, test } from 'vitest'
import { createRiscv } from '../src/index.js'
import type { Riscv } from '../src/index.js'
import { createRiscvMachine } from '../src/model/index.js'
import type { Profile, RiscvMachine } from '../src/model/index.js'
import { OFFSETS } from '../src/tables/index.js'

const device: Device = { name: '0000:01:02.0', requesterId: 0x110, ats: true }
const endpoints = new Map([[0x110, { pasidWidth: 20, atsQueueDepth: 31 }]])
const read = (address: bigint, more: Partial<DmaRequest> = {}): DmaRequest => ({ source: 0x110, kind: 'untranslated', address, access: 'read', ...more })
const made = (profile: Partial<Profile> = {}): { machine: RiscvMachine; driver: Riscv; warnings: string[] } => {
  const machine = createRiscvMachine({ profile, endpoints })
  const warnings: string[] = []
  const driver = createRiscv(machine, { warn: (sentence) => warnings.push(sentence) })
  driver.probeDevice(device)
  driver.probeFinalize?.(device)
  return { machine, driver, warnings }
}
const paging = (driver: Riscv, format: string): PagingDomain => {
  const domain = driver.domainAllocPaging?.(device, { format }) as PagingDomain
  domain.mapPages(0x10_0000n, 0x80_0000n, 0x1000n, 1, { read: true, write: true, noExecute: true })
  domain.mapPages(0x20_0000n, 0x100_0000n, 0x20_0000n, 1, { read: true, write: false, noExecute: true })
  return domain
}
const wordsOf = (machine: RiscvMachine, request: DmaRequest): string[] =>
  machine.walk(request).steps.map(({ entry, words }) => `${entry} ${words.map((word) => `0x${word.toString(16)}`).join(' ')}`)

describe('words', () => {
  test('a device without PASIDs: contexts as Linux writes them, leaves as in the worked examples', () => {
    const { machine, driver } = made({ processLevels: [], ats: false })
    paging(driver, 'sv48').attachDev(device, undefined)
    const steps = wordsOf(machine, read(0x10_0000n))
    expect(steps.map((each) => each.split(' ')[0])).toEqual(['riscv.ddt', 'riscv.ddt', 'riscv.dc', ...Array.from({ length: 4 }, () => 'riscv.pte')])
    // tc V; ta PSCID 1; fsc mode 9 and the root.
    expect(steps[2]).toMatch(/^riscv\.dc 0x1 0x0 0x1000 0x9000000000002[0-9a-f]{3} 0x0 0x0 0x0 0x0$/)
    // 4K RW no-execute: 0xd7; 2M RO no-execute: 0x53.
    expect(steps.at(-1)).toBe(`riscv.pte 0x${((0x80_0000n >> 2n) | 0xd7n).toString(16)}`)
    expect(wordsOf(machine, read(0x20_0000n)).at(-1)).toBe(`riscv.pte 0x${((0x100_0000n >> 2n) | 0x53n).toString(16)}`)
  })
  test('a second stage is in iohgatp, and nothing of the first is written', () => {
    const { machine, driver } = made({ processLevels: [], ats: false })
    paging(driver, 'sv48x4').attachDev(device, undefined)
    expect(wordsOf(machine, read(0x10_0000n))[2]).toMatch(/^riscv\.dc 0x1 0x900010000000[0-9a-f]{4} 0x0 0x0 0x0 0x0 0x0 0x0$/)
  })
  test('a device with PASIDs: DPE makes requests without PASID those of process context 0', () => {
    const { machine, driver } = made()
    driver.identityDomain?.attachDev(device, undefined)
    const steps = wordsOf(machine, read(0x10_0000n))
    expect(steps[2]).toMatch(/^riscv\.dc 0x223 0x0 0x0 0x3000000000002[0-9a-f]{3} /)
    expect(steps.at(-1)).toBe('riscv.pc 0x1 0x0')
  })
})

describe('a unit that misbehaves', () => {
  test('a refused command is recovered from, and the old domain is back', () => {
    const { machine, driver } = made()
    const [one, two] = [paging(driver, 'sv39'), paging(driver, 'sv48')]
    one.attachDev(device, undefined)
    const tag = machine.dma(read(0x10_0000n))
    for (let n = 1; n <= 3; n++) {
      machine.fail.queueError(n)
      expect(() => two.attachDev(device, one)).toThrow('ENODEV: the unit refused a command')
      expect(machine.dma(read(0x10_0000n))).toEqual(tag)
      expect(machine.registers.read32(OFFSETS.cqcsr) & 0x700).toBe(0)
    }
    machine.fail.queueError(undefined)
    two.attachDev(device, one)
    expect(machine.dma(read(0x10_0000n))).toMatchObject({ result: 'translated', address: 0x80_0000n })
  })
  test('a fence that never completes is ENODEV, and not a hang', () => {
    const { machine, driver } = made()
    const [one, two] = [paging(driver, 'sv39'), paging(driver, 'sv48')]
    one.attachDev(device, undefined)
    machine.fail.completions('never')
    expect(() => two.attachDev(device, one)).toThrow('ENODEV: the unit does not complete commands')
    machine.fail.completions('prompt')
    two.attachDev(device, one)
    expect(machine.dma(read(0x10_0000n)).result).toBe('translated')
  })
  test('a device TLB that does not answer stops the fence, and the device is blocked all the same', () => {
    const { machine, driver, warnings } = made()
    const one = paging(driver, 'sv39')
    one.attachDev(device, undefined)
    machine.fail.deviceTlb(0x110, 'times out')
    expect(() => driver.identityDomain?.attachDev(device, one)).toThrow('a device did not answer the invalidation of its TLB')
    driver.blockedDomain?.attachDev(device, one)
    expect(machine.walk(read(0x10_0000n)).outcome.result).toBe('blocked')
    expect(warnings[0]).toContain('is blocked in the tables')
  })
  test('an identifier that could not be flushed is not used again', () => {
    const { machine, driver, warnings } = made({ ats: false })
    const one = paging(driver, 'sv39')
    one.attachDev(device, undefined)
    const before = driver.identifiersInUse()
    machine.fail.completions('never')
    driver.blockedDomain?.attachDev(device, one)
    machine.fail.completions('prompt')
    expect(driver.identifiersInUse()).toBe(before)
    expect(warnings.at(-1)).toContain('identifier 1 is not used again')
  })
  test('a directory that the unit does not take is stepped down from, and a device beyond it refused', () => {
    const machine = createRiscvMachine({ profile: { directoryLevels: 1 }, endpoints })
    const driver = createRiscv(machine)
    expect(() => driver.probeDevice(device)).toThrow('EINVAL: the requester id is beyond the device directory (source 0x110, limit 0x40)')
  })
  test('registers that never acknowledge are an error at creation', () => {
    const machine = createRiscvMachine()
    const read32 = (offset: number): number => (offset === OFFSETS.cqcsr ? 0 : machine.registers.read32(offset))
    const deaf = { ...machine, registers: { ...machine.registers, read32 } }
    expect(() => createRiscv(deaf)).toThrow('ENODEV: the unit does not acknowledge: cqcsr.cqon stays 0')
  })
})

test('the fault queue holds one record less than its size, then says that some were lost', () => {
  const { machine, driver } = made({ processLevels: [] })
  for (let n = 0n; n < 130n; n++) machine.dma(read(0x1000n * n))
  const { faults, overflow } = driver.readFaults()
  expect([faults.length, overflow]).toEqual([127, true])
  expect(faults[1]).toEqual({
    source: 0x110, address: 0x1000n, transaction: 'untranslated read', code: 258,
  })
  expect(driver.readFaults()).toEqual({ faults: [], overflow: false })
  machine.dma(read(0x9000n, { access: 'write' }))
  expect(driver.readFaults().faults).toMatchObject([{ address: 0x9000n, transaction: 'untranslated write' }])
})
