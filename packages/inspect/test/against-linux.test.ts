// What this package says of tables that Linux wrote, held against what Linux said of them.
import { describe, expect, test } from 'vitest'
import { inspect, readCapture, walkCapture } from '../src/index.js'
import { addTo, compareCapture, nothing } from './compare.js'
import type { Comparison } from './compare.js'
import { captureAt, capturesIn, filesOf, LARGER, OWN, PLATFORMS } from './recorded.js'

const said = (
  { devices, others, debugfs, pasidEntries, vfio, dmaApi, traced }: ReturnType<typeof nothing>,
  captures: number,
): string =>
  `${captures} captures: ${devices} devices (${others} not translated), ${debugfs} debugfs mappings, `
  + `${pasidEntries} PASID entries, ${vfio} VFIO maps, ${dmaApi} DMA API mappings, ${traced} live traced pages\n`

describe('the captures of this package', () => {
  const own = capturesIn(OWN)

  test('there are some', () => expect(own.length).toBeGreaterThan(5))

  const results = new Map<string, Comparison>()

  test.each(own)('%s: effects and mappings are as Linux has them', { timeout: 60_000 }, async (name) => {
    const result = nothing()
    await compareCapture(`${OWN}${name}`, result)
    results.set(name, result)
    expect(result.different).toEqual([])
    expect(result.devices).toBeGreaterThan(7)
  })

  test('all that Linux tells was compared', () => {
    const totals = { intel: nothing(), amd: nothing(), arm: nothing() }
    for (const platform of PLATFORMS) {
      const own = [...results].filter(([name]) => name.startsWith(platform))
      for (const [, result] of own) addTo(totals[platform], result)
      process.stdout.write(`${platform}, ${said(totals[platform], own.length)}`)
    }
    expect(totals.intel.debugfs).toBeGreaterThan(1500)
    expect(totals.intel.traced).toBeGreaterThan(4000)
    expect(totals.intel.vfio).toBeGreaterThan(15)
    expect(totals.intel.pasidEntries).toBe(3)
    expect(totals.intel.others).toBeGreaterThan(3)
    for (const { traced, vfio, others } of [totals.amd, totals.arm]) {
      expect(traced).toBeGreaterThan(300)
      expect(vfio).toBeGreaterThan(4)
      expect(others).toBeGreaterThan(5)
    }
  })
})

// The fixtures are always compared; a larger set only where it lies beside the repository.
if (capturesIn(LARGER).length > 0) describe('a larger set beside the repository', () => {
  test.each(PLATFORMS)('every capture of %s agrees with Linux', { timeout: 300_000 }, async (platform) => {
    const own = capturesIn(OWN)
    const larger = capturesIn(LARGER, platform).filter((name) => !own.includes(name))
    const result = nothing()
    for (const name of larger) await compareCapture(`${LARGER}${name}`, result)
    process.stdout.write(`${platform}, ${said(result, larger.length)}`)
    expect(larger.length).toBeGreaterThan(0)
    expect(result.different).toEqual([])
  })
})

describe('answers come from registers, tables and identities alone', () => {
  const folder = `${OWN}intel-7.3.4-legacy-mixed-identity`

  test('another order of devices, another name, no driver: the same answers', async () => {
    const files = filesOf(folder)
    const meta = JSON.parse(files.meta) as { platform: string; devices: { bdf: string; requesterId: string }[] }
    const devices = meta.devices.map(({ bdf, requesterId }) => ({ bdf, requesterId })).reverse()
    const bare = inspect(await readCapture({ ...files, meta: JSON.stringify({ platform: meta.platform, devices }) }))
    const whole = inspect(await captureAt(folder))
    expect([...bare.devices].reverse()).toEqual(whole.devices)
  })
})

describe('the comparison can fail', () => {
  test.each([
    ['a context entry that is not present', 'intel-7.3.4-legacy-mixed-identity', 0, 0x01, '0000:00:04.0: blocked, Linux identity'],
    ['a leaf that leads to another page', 'intel-7.3.4dbg-legacy-edu-vfio', 1, 0x10, 'debugfs 0000:00:04.0 0x102000: translated'],
  ])('%s', async (_what, name, byte, bits, message) => {
    const folder = `${OWN}${name}`
    const files = filesOf(folder)
    const { steps } = walkCapture(await captureAt(folder), { source: 0x20, iova: 0x102000n, access: 'read' })
    const address = BigInt(steps[steps.length - 1]?.address as string)
    const { pages } = JSON.parse(files.tables) as { pages: Record<string, number> }
    const at = (pages[`0x${(address & ~0xfffn).toString(16)}`] as number) + Number(address & 0xfffn)
    const bytes = Uint8Array.from(files.bytes)
    bytes[at + byte] = (bytes[at + byte] as number) ^ bits
    const result = nothing()
    await compareCapture(folder, result, await readCapture({ ...files, bytes }))
    expect(result.different.join('\n')).toContain(message)
  })
})

describe('leaves that a person worked out by hand', () => {
  test.each([
    ['amd-7.3.4-v1-edu-faulted-pending', 0x40212340n, '0xf412340', '0x200000', '0x700000000f400001'],
    ['arm-7.3.4-stage1-edu-faulted-pending', 0x40212340n, '0x43612340', '0x200000', '0x0000000043600f45'],
    ['intel-7.3.4-legacy-edu-vfio', 0x102008n, '0xd5e1008', '0x1000', '0x000000000d5e1003'],
    ['intel-7.3.4-legacy-edu-vfio', 0x40212340n, '0x3612340', '0x200000', '0x0000000003600083'],
    ['intel-7.3.4-legacy-edu-vfio', 0x7f00001abcn, '0xf55cabc', '0x1000', '0x000000000f55c003'],
    ['intel-7.3.4-scalable-firststage-edu-vfio', 0x102008n, '0xc796008', '0x1000', '0x000000000c796067'],
    ['intel-7.3.4-scalable-firststage-edu-vfio', 0x40212340n, '0x3612340', '0x200000', '0x00000000036000e7'],
  ])('%s %s', async (name, iova, address, pageSize, leaf) => {
    const result = walkCapture(await captureAt(`${OWN}${name}`), { source: 0x20, iova, access: 'read' })
    expect(result).toMatchObject({ outcome: 'translated', address, pageSize })
    expect(result.steps[result.steps.length - 1]?.words).toEqual([leaf])
  })
})

describe('faults that Linux or hardware recorded', () => {
  test('a record that nobody has read is shown, and the same DMA walked stops for the same reason', async () => {
    const capture = await captureAt(`${OWN}intel-7.3.4-legacy-dma-faulted-pending`)
    const [fault] = inspect(capture).faults
    expect(fault).toEqual({
      device: '0000:00:06.0', access: 'write', address: '0x177654000', code: 5,
      name: 'second stage: no permission to write, or nothing mapped',
    })
    expect(walkCapture(capture, { source: 0x30, iova: 0x177654000n, access: 'write' }).fault?.code).toBe(5)
  })

  test('a write to a read-only page and a read of a write-only page are refused', async () => {
    const capture = await captureAt(`${OWN}intel-7.3.4-legacy-edu-vfio`)
    const ask = (iova: bigint, access: 'read' | 'write'): number | undefined =>
      walkCapture(capture, { source: 0x20, iova, access }).fault?.code
    expect([ask(0x200000n, 'read'), ask(0x200000n, 'write'), ask(0x300000n, 'read'), ask(0x300000n, 'write')]).toEqual([
      undefined,
      5,
      6,
      undefined,
    ])
  })

  test('a device that is blocked stops at its context entry', async () => {
    const capture = await captureAt(`${OWN}intel-7.3.4-legacy-edu-blocked`)
    expect(walkCapture(capture, { source: 0x20, iova: 0x1000n, access: 'read' }).fault?.code).toBe(2)
  })
})
