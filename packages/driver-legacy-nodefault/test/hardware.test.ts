// What the suite does not ask: faults as they are read, claims that are refused, the groups, and switches without a gap.
import { createCore } from '@iommu/core'
import type { Device } from '@iommu/core'
import { describe, expect, test } from 'vitest'
import { requestsOf } from '../../../tools/driver-tests/dma.js'
import { map } from '../../../tools/driver-tests/scene.js'
import { hex } from '../../../tools/driver-tests/spell.js'
import { backends } from '../src/backends.js'
import { compareOwnership } from '../src/history/index.js'
import type { KindName } from '../src/kinds.js'
import { made, one } from './scene.js'
import type { Made } from './scene.js'

const read = requestsOf(0x20)
const device = (requesterId: number): Device => ({ name: `device ${hex(requesterId)}`, requesterId })
/** Hardware whose devices are not probed yet. */
const scene = (kind: KindName): Made => made(kind, [])

describe('faults', () => {
  test.each([
    ['msm', { address: 0x1000n, code: 2, meaning: 'Translation fault', source: 0 }],
    ['omap', { address: 0x1000n, code: 2, meaning: 'Translation fault', source: 0x20 }],
    ['tegra-smmu', { address: 0x1000n, code: 6, meaning: 'invalid SMMU page', source: 0x20, access: 'write' }],
    ['fsl-pamu', { address: 0x1000n, code: 1, meaning: 'Access violation', source: 0x20 }],
  ] as const)('%s: a blocked write is recorded, read and cleared', (kind, expected) => {
    const { machine, driver } = made(kind)
    expect(machine.dma(read(0x1000n, { access: 'write' })).result).toBe('blocked')
    expect(driver.readFaults()).toEqual([expected])
    expect(driver.readFaults()).toEqual([])
  })
  test('mtk-v1 and tegra-gart: of an empty domain', () => {
    for (const [kind, address] of [['mtk-v1', 0x1000n], ['tegra-gart', 0x5800_1000n]] as const) {
      const { machine, driver, paging } = made(kind)
      paging().attachDev(one, undefined)
      expect(machine.dma(read(address)).result).toBe('blocked')
      expect(driver.readFaults().map((fault) => fault.address)).toEqual([address])
      expect(driver.readFaults()).toEqual([])
    }
  })
})

describe('ownership', () => {
  test.each(['mtk-v1', 'tegra-gart'] as const)('%s: nothing blocks, so a claim is EINVAL and the group stays as it was', (kind) => {
    const { driver } = scene(kind)
    const core = createCore(driver)
    core.probeDevice(one)
    const group = core.group(one)
    expect(() => core.claimGroup(group, {})).toThrowError(/EINVAL/)
    expect([group.owner, group.domain === group.defaultDomain]).toEqual([undefined, true])
  })
  test('fsl-pamu: its own block is V = 0; without it a claim is EINVAL', () => {
    const row = compareOwnership(backends.find(({ backend }) => backend === 'fsl-pamu') as typeof backends[0], (ops) => createCore(ops), 3)
    expect(row.blocked).toEqual({ cost: { pages: 0, ids: 0, stores: 3, registers: 0, commands: 0, flushes: 0 } })
    expect(row.standIn).toEqual({ refused: 'EINVAL', claimed: 0 })
  })
  test('tegra-smmu: with an address space for each stand-in three devices cannot be claimed at all', () => {
    const row = compareOwnership(backends.find(({ backend }) => backend === 'tegra-smmu') as typeof backends[0], (ops) => createCore(ops), 3)
    expect(row.standIn).toEqual({ refused: 'ENOSPC', claimed: 0 })
    expect(row.blocked).toMatchObject({ cost: { pages: 0, ids: -3 } })
  })
  test.each(['msm', 'omap', 's390'])('%s: the stand-in takes tables that the block does not', (kind) => {
    const { blocked, standIn } = compareOwnership(backends.find(({ backend }) => backend === kind) as typeof backends[0], (ops) => createCore(ops), 3)
    expect(blocked).toMatchObject({ cost: { pages: 0, ids: -3 } })
    expect(standIn).toMatchObject({ cost: { pages: 12, ids: 0 } })
  })
})

describe('groups', () => {
  test('clients of one group of tegra-smmu, all ports of an M4U and all masters of a GART are one group', () => {
    for (const [kind, together, apart] of [['tegra-smmu', [0x22, 0x23], [0x20, 0x22]], ['mtk-v1', [3, 40], undefined], ['tegra-gart', [3, 40], undefined]] as const) {
      const { driver } = scene(kind)
      const groups = (ids: readonly number[]): Set<string> => new Set(ids.map((id) => driver.deviceGroup(device(id))))
      expect(groups(together).size).toBe(1)
      if (apart !== undefined) expect(groups(apart).size).toBe(2)
    }
  })
  test.each([['msm', 64], ['omap', 64], ['tegra-smmu', 0x26], ['mtk-v1', 44], ['fsl-pamu', 0x500], ['s390', 0x1000]] as const)('%s: a requester that does not exist is ENODEV', (kind, id) => {
    expect(() => scene(kind).driver.probeDevice(device(id))).toThrowError(/ENODEV/)
  })
})

test.each(['msm', 'omap', 'tegra-smmu'] as const)('%s: from one paging domain to another no access is blocked in between', (kind) => {
  const { machine, driver, paging } = made(kind)
  const [from, to] = [paging(), paging()]
  map(from, 0x1000n, 1, 0x80_0000n)
  map(to, 0x1000n, 1, 0x90_0000n)
  from.attachDev(one, undefined)
  machine.dma(read(0x1000n))
  const seen = new Set<string>()
  const stop = machine.observe(() => {
    for (const outcome of machine.outcomes(read(0x1000n))) seen.add(outcome.result === 'blocked' ? 'blocked' : outcome.address.toString(16))
  })
  to.attachDev(one, from)
  stop()
  expect([...seen].sort()).toEqual(['800000', '900000'])
  expect(driver.manifest.hitless).toEqual([`${kind}>${kind}`])
})

test('no PASIDs anywhere: none declared, no setter, and the core answers EOPNOTSUPP', () => {
  for (const { backend, createMachine, createDriver: create } of backends) {
    const machine = createMachine({ endpoints: new Map([[0x20, { pasidWidth: 20 }]]), unit: 0 })
    const ops = create([machine], { warn: () => undefined })
    const core = createCore(ops)
    core.probeDevice(one)
    expect([backend, ops.manifest.maxPasids, ops.maxPasids?.(one)]).toEqual([backend, 0, 0])
    for (const domain of [ops.blockedDomain, ops.identityDomain]) expect(domain?.setDevPasid).toBeUndefined()
    expect(() => core.attachPasid(ops.identityDomain as NonNullable<typeof ops.identityDomain>, one, 5)).toThrowError(/EOPNOTSUPP/)
  }
})
