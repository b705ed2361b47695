// What this package says of tables that Linux wrote, held against what Linux said of them.
import { describe, expect, test } from 'vitest'
import { inspect, readCapture, walkCapture } from '../src/index.js'
import { compareCapture, nothing } from './compare.js'
import { captureAt, filesOf, intelCaptures, LARGER, OWN } from './recorded.js'

const said = (
  { devices, others, debugfs, pasidEntries, vfio, dmaApi, traced }: ReturnType<typeof nothing>,
  captures: number,
): string =>
  `${captures} captures: ${devices} devices (${others} not translated), ${debugfs} debugfs mappings, `
  + `${pasidEntries} PASID entries, ${vfio} VFIO maps, ${dmaApi} DMA API mappings, ${traced} live traced pages\n`

describe('the captures of this package', () => {
  const own = intelCaptures(OWN)

  test('there are some', () => expect(own.length).toBeGreaterThan(5))

  test.each(own)('%s: effects and mappings are as Linux has them', (name) => {
    const result = nothing()
    compareCapture(`${OWN}${name}`, result)
    expect(result.different).toEqual([])
    expect(result.devices).toBeGreaterThan(9)
  })

  test('all that Linux tells was compared', () => {
    const result = nothing()
    for (const name of own) compareCapture(`${OWN}${name}`, result)
    process.stdout.write(said(result, own.length))
    expect(result.debugfs).toBeGreaterThan(1500)
    expect(result.traced).toBeGreaterThan(4000)
    expect(result.vfio).toBeGreaterThan(15)
    expect(result.pasidEntries).toBe(3)
    expect(result.others).toBeGreaterThan(3)
  })
})

const larger = intelCaptures(LARGER)
// The fixtures are always compared; a larger set only where it lies beside the repository.
if (larger.length > 0) describe('a larger set beside the repository', () => {
  test('every capture agrees with Linux', { timeout: 300_000 }, () => {
    const result = nothing()
    for (const name of larger) compareCapture(`${LARGER}${name}`, result)
    process.stdout.write(said(result, larger.length))
    expect(result.different).toEqual([])
  })
})

describe('answers come from registers, tables and identities alone', () => {
  const folder = `${OWN}intel-7.3.4-legacy-mixed-identity`

  test('another order of devices, another name, no driver: the same answers', () => {
    const files = filesOf(folder)
    const meta = JSON.parse(files.meta) as { platform: string; devices: { bdf: string; requesterId: string }[] }
    const devices = meta.devices.map(({ bdf, requesterId }) => ({ bdf, requesterId })).reverse()
    const bare = inspect(readCapture({ ...files, meta: JSON.stringify({ platform: meta.platform, devices }) }))
    const whole = inspect(captureAt(folder))
    expect([...bare.devices].reverse()).toEqual(whole.devices)
  })
})

describe('the comparison can fail', () => {
  test.each([
    ['a context entry that is not present', 'intel-7.3.4-legacy-mixed-identity', 0, 0x01, '0000:00:04.0: blocked, Linux identity'],
    ['a leaf that leads to another page', 'intel-7.3.4dbg-legacy-edu-vfio', 1, 0x10, 'debugfs 0000:00:04.0 0x102000: translated'],
  ])('%s', (_what, name, byte, bits, message) => {
    const folder = `${OWN}${name}`
    const files = filesOf(folder)
    const { steps } = walkCapture(captureAt(folder), { source: 0x20, iova: 0x102000n, access: 'read' })
    const address = BigInt(steps[steps.length - 1]?.address as string)
    const { pages } = JSON.parse(files.tables) as { pages: Record<string, number> }
    const at = (pages[`0x${(address & ~0xfffn).toString(16)}`] as number) + Number(address & 0xfffn)
    const bytes = Uint8Array.from(files.bytes)
    bytes[at + byte] = (bytes[at + byte] as number) ^ bits
    const result = nothing()
    compareCapture(folder, result, readCapture({ ...files, bytes }))
    expect(result.different.join('\n')).toContain(message)
  })
})

describe('leaves that a person worked out by hand', () => {
  test.each([
    ['intel-7.3.4-legacy-edu-vfio', 0x102008n, '0xd5e1008', '0x1000', '0x000000000d5e1003'],
    ['intel-7.3.4-legacy-edu-vfio', 0x40212340n, '0x3612340', '0x200000', '0x0000000003600083'],
    ['intel-7.3.4-legacy-edu-vfio', 0x7f00001abcn, '0xf55cabc', '0x1000', '0x000000000f55c003'],
    ['intel-7.3.4-scalable-firststage-edu-vfio', 0x102008n, '0xc796008', '0x1000', '0x000000000c796067'],
    ['intel-7.3.4-scalable-firststage-edu-vfio', 0x40212340n, '0x3612340', '0x200000', '0x00000000036000e7'],
  ])('%s %s', (name, iova, address, pageSize, leaf) => {
    const result = walkCapture(captureAt(`${OWN}${name}`), { source: 0x20, iova, access: 'read' })
    expect(result).toMatchObject({ outcome: 'translated', address, pageSize })
    expect(result.steps[result.steps.length - 1]?.words).toEqual([leaf])
  })
})

describe('faults that Linux or hardware recorded', () => {
  test('a record that nobody has read is shown, and the same DMA walked stops for the same reason', () => {
    const capture = captureAt(`${OWN}intel-7.3.4-legacy-dma-faulted-pending`)
    const [fault] = inspect(capture).faults
    expect(fault).toEqual({
      device: '0000:00:06.0', access: 'write', address: '0x177654000', code: 5,
      name: 'second stage: no permission to write, or nothing mapped',
    })
    expect(walkCapture(capture, { source: 0x30, iova: 0x177654000n, access: 'write' }).fault?.code).toBe(5)
  })

  test('a write to a read-only page and a read of a write-only page are refused', () => {
    const capture = captureAt(`${OWN}intel-7.3.4-legacy-edu-vfio`)
    const ask = (iova: bigint, access: 'read' | 'write'): number | undefined =>
      walkCapture(capture, { source: 0x20, iova, access }).fault?.code
    expect([ask(0x200000n, 'read'), ask(0x200000n, 'write'), ask(0x300000n, 'read'), ask(0x300000n, 'write')]).toEqual([
      undefined,
      5,
      6,
      undefined,
    ])
  })

  test('a device that is blocked stops at its context entry', () => {
    const capture = captureAt(`${OWN}intel-7.3.4-legacy-edu-blocked`)
    expect(walkCapture(capture, { source: 0x20, iova: 0x1000n, access: 'read' }).fault?.code).toBe(2)
  })
})
