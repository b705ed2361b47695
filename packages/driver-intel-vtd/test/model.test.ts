// The model, check by check: the reason for which it blocks what tables gone wrong lead to, and what it records of it.
import { describe, expect, test } from 'vitest'
import { entryAt } from '../../../tools/driver-tests/dma.js'
import type { Profile } from '../src/model/index.js'
import { ats, code, LEGACY, made, poke, read } from './scene.js'

describe('fault recording', () => {
  test('keeps as many faults as there are registers, then says that some were lost', () => {
    const { machine, driver } = made()
    for (let n = 0n; n < 6n; n++) machine.dma(read(0x1000n * n, { access: n % 2n === 0n ? 'read' : 'write' }))
    const { faults, overflow } = driver.readFaults()
    expect(overflow).toBe(true)
    expect(faults.map(({ address, access }) => [address, access])).toEqual([[0n, 'read'], [0x1000n, 'write'], [0x2000n, 'read'], [0x3000n, 'write']])
    expect(driver.readFaults()).toEqual({ faults: [], overflow: false })
    machine.dma(read(0x9000n, { pasid: 7 }))
    expect(driver.readFaults().faults).toMatchObject([{ source: 0x20, pasid: 7, address: 0x9000n, code: 0x59 }])
  })
  test('is silent where FPD asks for it, and still blocks', () => {
    const { machine, driver } = made()
    driver.identityDomain?.attachDev(ats, undefined)
    poke.word(machine, entryAt(machine, read(0n), 'vtd.pasid'), () => 2n)
    expect(machine.dma(read(0x1000n))).toMatchObject({ result: 'blocked', fault: { code: 0x59, recorded: false } })
    expect(driver.readFaults().faults).toEqual([])
  })
})

/** A case: which domain is set, which entry is changed and how, and the reason that a read or write then meets. */
type Wrong = readonly [what: string, layout: string, word: bigint, change: (word: bigint) => bigint, reads: number, writes?: number]

const wrongEntries = (profile: Partial<Profile>, format: string, cases: readonly Wrong[]): void => {
  test.each(cases.map((each) => ({ name: each[0], each })))('$name', ({ each: [, layout, word, change, reads, writes = reads] }) => {
    const { machine, readable } = made(profile)
    readable(format).attachDev(ats, undefined)
    expect(code(machine, read(0x10_0000n))).toBe('translated')
    poke.word(machine, entryAt(machine, read(0x10_0000n), layout) + word * 8n, change)
    expect([code(machine, read(0x10_0000n)), code(machine, read(0x10_0000n, { access: 'write' }))]).toEqual([reads, writes])
  })
}

describe('faults in legacy mode', () => {
  wrongEntries(LEGACY, 'second-stage-4', [
    ['root entry absent', 'vtd.root', 0n, () => 0n, 0x01],
    ['root entry with a reserved bit', 'vtd.root', 0n, (word) => word | 2n, 0x0a],
    ['root entry to no memory', 'vtd.root', 0n, () => 0x2000_0001n, 0x09],
    ['context entry absent', 'vtd.context', 0n, () => 0n, 0x02],
    ['context entry with a reserved bit', 'vtd.context', 0n, (word) => word | 0x10n, 0x0b],
    ['context entry with a reserved translation type', 'vtd.context', 0n, (word) => word | 0xcn, 0x03],
    ['context entry with more levels than there are', 'vtd.context', 1n, (word) => word | 3n, 0x03],
    ['root table in no memory', 'vtd.context', 0n, () => 0x2000_0001n, 0x03],
    ['leaf absent', 'vtd.ss', 0n, () => 0n, 0x06, 0x05],
    ['leaf with an address beyond the host width', 'vtd.ss', 0n, (word) => word | (1n << 47n), 0x0c],
  ])
  test('a table below the root in no memory', () => {
    const { machine, readable } = made(LEGACY)
    readable('second-stage-4').attachDev(ats, undefined)
    const root = machine.walk(read(0x10_0000n)).steps.find(({ entry }) => entry === 'vtd.ss')?.address as bigint
    poke.word(machine, root, () => 0x2000_0003n)
    expect(code(machine, read(0x10_0000n))).toBe(0x07)
  })
  test('read-only pages, addresses too wide, requests with PASID', () => {
    const { machine, readable } = made(LEGACY)
    readable('second-stage-4').attachDev(ats, undefined)
    expect([
      code(machine, read(0x10_0000n, { access: 'write' })), code(machine, read(1n << 48n)), code(machine, read(0n, { pasid: 1 })),
      code(machine, read(0xfee0_0000n)),
    ]).toEqual([0x05, 0x04, 0x31, 0x0e])
  })
})

describe('faults in scalable mode', () => {
  wrongEntries({}, 'first-stage-4', [
    ['root entry absent', 'vtd.sm-root', 0n, () => 0n, 0x39],
    ['root entry with a reserved bit', 'vtd.sm-root', 0n, (word) => word | 2n, 0x3a],
    ['root entry to no memory', 'vtd.sm-root', 0n, () => 0x2000_0001n, 0x40],
    ['context entry absent', 'vtd.sm-context', 0n, () => 0n, 0x41],
    ['context entry with a reserved bit', 'vtd.sm-context', 0n, (word) => word | 0x20n, 0x42],
    ['RID_PASID without RPS', 'vtd.sm-context', 1n, () => 1n, 0x48],
    ['directory to no memory', 'vtd.sm-context', 0n, (word) => (word & 0xfffn) | 0x2000_0000n, 0x50],
    ['directory entry absent', 'vtd.pasid-dir', 0n, () => 0n, 0x51],
    ['directory entry with a reserved bit', 'vtd.pasid-dir', 0n, (word) => word | 4n, 0x52],
    ['PASID table to no memory', 'vtd.pasid-dir', 0n, () => 0x2000_0001n, 0x58],
    ['PASID entry absent', 'vtd.pasid', 0n, (word) => word & ~1n, 0x59],
    ['PASID entry with a reserved bit', 'vtd.pasid', 0n, (word) => word | 0x400n, 0x5a],
    ['PASID entry of a type that there is not', 'vtd.pasid', 0n, (word) => word | 0x1c0n, 0x5b],
    ['PASID entry of a nested type', 'vtd.pasid', 0n, (word) => word | 0x80n, 0x5b],
    ['first-stage root to no memory', 'vtd.pasid', 2n, () => 0x2000_0000n, 0x73],
    ['first-stage leaf absent', 'vtd.fs', 0n, () => 0n, 0x71],
    ['first-stage leaf beyond the host width', 'vtd.fs', 0n, (word) => word | (1n << 47n), 0x72],
    ['first-stage leaf for supervisors', 'vtd.fs', 0n, (word) => word & ~4n, 0x81],
  ])
  wrongEntries({}, 'second-stage-4', [
    ['second-stage leaf absent', 'vtd.ss', 0n, () => 0n, 0x79],
    ['second-stage leaf beyond the host width', 'vtd.ss', 0n, (word) => word | (1n << 47n), 0x7a],
    ['second-stage root to no memory', 'vtd.pasid', 0n, (word) => (word & 0xfffn) | 0x2000_0000n, 0x7b],
  ])
  test('read-only pages, addresses that are not canonical, execute and supervisor requests, the interrupt range', () => {
    const { machine, readable } = made()
    readable('first-stage-4').attachDev(ats, undefined)
    expect([
      code(machine, read(0x10_0000n, { access: 'write' })), code(machine, read(1n << 47n)), code(machine, read(0x10_0000n, { execute: true })),
      code(machine, read(0x10_0000n, { privileged: true })), code(machine, read(0xfee0_0000n)),
    ]).toEqual([0x85, 0x80, 0x5c, 0x5d, 0x87])
  })
  test('PASIDs beyond the directory, and of a device that has none', () => {
    const { machine, driver } = made()
    for (const requesterId of [0x28, 0x30]) driver.probeDevice({ name: `${requesterId}`, requesterId })
    expect([code(machine, read(0n, { source: 0x30, pasid: 0x5000 })), code(machine, read(0n, { source: 0x28, pasid: 1 }))]).toEqual([0x46, 0x45])
  })
})
