// AMD-Vi's and SMMUv3's recorded entries, written again: every wrong bit is seen, and every rule has a case.
import { encode } from '@iommu/bits'
import { deviceTableEntry } from '@iommu/driver-amd-vi/tables'
import { streamEntry } from '@iommu/driver-arm-smmuv3/tables'
import { armStage1Entry, armStage2Entry } from '@iommu/page-table'
import { describe, expect, test } from 'vitest'
import { findEntry } from '../src/index.js'
import type { ReproducedEntry, Reproduction } from '../src/index.js'
import { captureAt, filesOf, OWN } from './recorded.js'
import { changed, entriesOf, entryOf, flip, reproduceAt, reproduceFiles, told } from './reproduce-tools.js'

const amd = `${OWN}amd-7.3.4-v1-edu-faulted-pending`
const amdPassing = `${OWN}amd-7.3.4-v1-pt-edu-blocked`
const stage1 = `${OWN}arm-7.3.4-stage1-edu-faulted-pending`
const stage2 = `${OWN}arm-7.3.4-stage2-edu-faulted-pending`
const armPassing = `${OWN}arm-7.3.4-stage1-pt-edu-blocked`

/** What of a device table entry is firmware's and interrupts': the driver keeps it as it is. */
const PLATFORM = [
  'IoCtl', 'Cache', 'SD', 'EX', 'SysMgt', 'IV', 'IntTabLen', 'IG', 'IntTabRoot', 'InitPass', 'EIntPass', 'NMIPass', 'IntCtl', 'Lint0Pass',
  'Lint1Pass',
]
const edu = { bdf: '0000:00:04.0' } as const
const nvme = { bdf: '0000:00:02.0' } as const

describe('every kind of entry is among the recorded ones, and equal', () => {
  test.each<[string, string[]]>([
    [amd, ['amd.dte', 'amd.v1']],
    [stage1, ['smmuv3.cd', 'smmuv3.l1std', 'smmuv3.s1', 'smmuv3.ste']],
    [stage2, ['smmuv3.l1std', 'smmuv3.s2', 'smmuv3.ste']],
  ])('%s', async (folder, kinds) => {
    const { entries, rules } = await reproduceAt(folder)
    expect([...new Set(entries.map(({ entry }) => entry))].sort()).toEqual(kinds)
    // The page that interrupts are written to is the one thing that has to be explained.
    expect(entries.filter(({ verdict }) => verdict === 'explained').every(({ iova }) => iova === '0xfffff000')).toBe(true)
    expect(rules.every(({ id }) => id.includes('-device-'))).toBe(true)
  })

  test('pages of a size that is held in the address are among AMD\'s', async () => {
    const sized = (await entriesOf(amd, 'amd.v1')).filter(({ recorded: [word] }) => (BigInt(word as string) >> 9n) % 8n === 7n)
    expect(sized.length).toBeGreaterThan(16)
  })
})

describe('every single wrong bit is seen', () => {
  test.each<[string, string, string, Partial<ReproducedEntry>, readonly string[]]>([
    ['a device table entry that translates', amd, 'amd.dte', edu, ['DomainID', 'I', 'PPR', ...PLATFORM]],
    // TV=1 without permissions is how older kernels block.
    ['one that aborts', amdPassing, 'amd.dte', edu, ['TV', ...PLATFORM]],
    ['one that passes through', amdPassing, 'amd.dte', nvme, ['I', 'PPR', ...PLATFORM]],
    ['a host leaf', amd, 'amd.v1', { ...edu, iova: '0x102000', level: 1 }, ['ADDR', 'IR', 'IW']],
    ['a host leaf of 2 MiB', amd, 'amd.v1', { ...edu, iova: '0x40200000', level: 2 }, ['ADDR', 'IR', 'IW']],
    ['a host table entry', amd, 'amd.v1', { ...edu, iova: '0x40000000', level: 3 }, []],
    ['a stream with stage 1', stage1, 'smmuv3.ste', edu, ['S1ContextPtr']],
    ['a stream that aborts', armPassing, 'smmuv3.ste', edu, ['Config']],
    ['a stream that bypasses', armPassing, 'smmuv3.ste', nvme, ['Config']],
    ['a stream with stage 2', stage2, 'smmuv3.ste', edu, ['S2VMID', 'S2TTB']],
    ['a context descriptor', stage1, 'smmuv3.cd', edu, ['ASID', 'TTB0']],
    ['a stage 1 page', stage1, 'smmuv3.s1', { ...edu, iova: '0x102000', level: 1 }, ['AP', 'OA']],
    ['a stage 1 block', stage1, 'smmuv3.s1', { ...edu, iova: '0x40200000', level: 2 }, ['AP', 'OA']],
    ['a stage 1 table', stage1, 'smmuv3.s1', { ...edu, iova: '0x40000000', level: 3 }, []],
    ['a stage 2 page', stage2, 'smmuv3.s2', { ...edu, iova: '0x102000', level: 1 }, ['S2AP', 'OA']],
    ['a stage 2 table', stage2, 'smmuv3.s2', { ...edu, iova: '0x40000000', level: 3 }, []],
  ])('%s', { timeout: 60_000 }, async (_what, folder, name, about, fields) => {
    const entry = await entryOf(folder, name, about)
    const owner = await findEntry(name)
    const known = told(owner, ...fields)
    const unseen: number[] = []
    for (let bit = 0; bit < owner.bits; bit++) {
      if (!known.has(bit) && (await flip(folder, entry, bit)).totals.different === 0) unseen.push(bit)
    }
    expect(unseen).toEqual([])
  })

  test('one of the equal entries of a page that has another address', async () => {
    const [first, second] = (await entriesOf(amd, 'amd.v1')).filter(({ recorded: [word] }) => (BigInt(word as string) >> 9n) % 8n === 7n)
    expect(second?.recorded).toEqual(first?.recorded)
    expect((await flip(amd, second as ReproducedEntry, 20)).totals.different).toBeGreaterThan(0)
  })

  test('an entry that the driver never writes has a reason', async () => {
    const lead = async (folder: string, about: Partial<ReproducedEntry>, name: string, words: readonly bigint[]): Promise<string | undefined> => {
      const { address } = await entryOf(folder, name, about)
      let index = 0
      const places = words.map((_, at) => BigInt(address) + BigInt(at * 8))
      const { entries } = await reproduceFiles(changed(folder, () => words[index++] as bigint, places))
      return entries.find(({ address: at }) => at === address)?.note
    }
    expect(await lead(amd, edu, 'amd.dte', [0n, 0n, 0n, 0n])).toContain('V is 0')
    expect(await lead(amd, edu, 'amd.dte', encode(deviceTableEntry, { V: 1, TV: 1, Mode: 3, GV: 1, IR: 1, IW: 1, DomainID: 1 }))).toContain('nested')
    expect(await lead(stage1, edu, 'smmuv3.ste', encode(streamEntry, { V: 1, Config: 7 }))).toContain('nested')
    expect(await lead(stage1, edu, 'smmuv3.ste', encode(streamEntry, {}))).toContain('invalid')
    expect(await lead(stage1, edu, 'smmuv3.ste', encode(streamEntry, { V: 1, Config: 5, S1CDMax: 3 }))).toContain('no SSIDs')
  })
})

describe('a difference is explained by a rule, and only where the rule holds', () => {
  const used = ({ rules }: Reproduction): string[] => rules.map(({ id }) => id)
  const withBits = async (folder: string, entry: string, about: Partial<ReproducedEntry>, set: bigint): Promise<Reproduction> => {
    const { address } = await entryOf(folder, entry, about)
    return reproduceFiles(changed(folder, (word) => word | set, [BigInt(address)]))
  }
  const cases: Readonly<Record<string, () => Promise<Reproduction>>> = {
    'blocked-by-permissions': () => withBits(amdPassing, 'amd.dte', edu, encode(deviceTableEntry, { TV: 1 })[0] as bigint),
    'page-requests': () => withBits(amd, 'amd.dte', edu, encode(deviceTableEntry, { PPR: 1 })[0] as bigint),
    'stage-1-device-memory': () => reproduceAt(stage1),
    'stage-1-device-shareability': () => reproduceAt(stage1),
    'stage-2-device-memory': () => reproduceAt(stage2),
    'stage-2-device-shareability': () => reproduceAt(stage2),
  }

  test('every rule has a case', async () => {
    const rules = [...(await captureAt(amd)).vendor.rules, ...(await captureAt(stage1)).vendor.rules]
    expect(Object.keys(cases)).toEqual(rules.map(({ id }) => id))
  })

  test.each(Object.entries(cases))('%s', async (id, run) => {
    const result = await run()
    expect(result.totals.different).toBe(0)
    expect(used(result)).toContain(id)
    expect(result.entries.filter(({ rule }) => rule?.split(' ').includes(id)).every(({ verdict }) => verdict === 'explained')).toBe(true)
  })

  test('a page of memory that is outer shareable is no device, and different', async () => {
    const outer = {
      'smmuv3.s1': (word: bigint) => encode(armStage1Entry, { SH: 2 }, [word]),
      'smmuv3.s2': (word: bigint) => encode(armStage2Entry, { SH: 2 }, [word]),
    } as const
    for (const [folder, entry] of [[stage1, 'smmuv3.s1'], [stage2, 'smmuv3.s2']] as const) {
      const { address, recorded: [word] } = await entryOf(folder, entry, { ...edu, iova: '0x102000', level: 1 })
      const [other] = outer[entry](BigInt(word as string))
      expect((await reproduceFiles(changed(folder, () => other as bigint, [BigInt(address)]))).totals.different).toBe(1)
    }
  })

  test('page requests are no excuse where the unit has none', async () => {
    const { address } = await entryOf(amd, 'amd.dte', edu)
    const files = changed(amd, (word) => word | (encode(deviceTableEntry, { PPR: 1 })[0] as bigint), [BigInt(address)])
    const registers = filesOf(amd).registers.replace('0x00000000000029d7', '0x00000000000029d5')
    expect((await reproduceFiles({ ...files, registers })).totals.different).toBe(1)
  })
})
