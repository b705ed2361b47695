// Recorded entries, written again by the driver: the same words; and every wrong bit is seen.
import { describe, expect, test } from 'vitest'
import { decodeField } from '@iommu/bits'
import { pasidEntry } from '@iommu/driver-intel-vtd/tables'
import { findEntry } from '../src/index.js'
import type { ReproducedEntry, Reproduction } from '../src/index.js'
import { captureAt, capturesIn, filesOf, LARGER, OWN, PLATFORMS } from './recorded.js'
import {
  changed, entriesOf, entryOf, flip, reproduceAt, reproduceFiles, told, totalsOf, withRegister,
} from './reproduce-tools.js'

const legacy = `${OWN}intel-7.3.4-legacy-edu-vfio`
const mixed = `${OWN}intel-7.3.4-legacy-mixed-identity`
const firstStage = `${OWN}intel-7.3.4-scalable-firststage-edu-vfio`
const pasids = `${OWN}intel-7.3.4dbg-scalable-pasid-secondstage-pasid`

describe('the driver writes what Linux wrote', () => {
  const own = capturesIn(OWN, 'intel')
  test.each(capturesIn(OWN))('%s', async (name) => {
    const { totals, entries } = await reproduceAt(`${OWN}${name}`)
    expect(entries.filter(({ verdict }) => verdict === 'different')).toEqual([])
    expect(totals.equal + totals.explained).toBe(entries.length)
    expect(totals.equal).toBeGreaterThanOrEqual(entries.length * 0.9)
  })

  test('every kind of entry is among them', async () => {
    const all = await Promise.all(own.map((name) => reproduceAt(`${OWN}${name}`)))
    const kinds = all.flatMap(({ entries }) => entries.map(({ entry }) => entry))
    expect([...new Set(kinds)].sort()).toEqual([
      'vtd.context', 'vtd.fs', 'vtd.pasid', 'vtd.pasid-dir', 'vtd.sm-context', 'vtd.ss',
    ])
    expect(await totalsOf(OWN, own)).toEqual({ captures: 8, equal: 4704, explained: 0, different: 0 })
  })

  test('PASIDs with their own tables', async () => {
    const { entries } = await reproduceAt(pasids)
    const listed = entries.filter(({ entry, bdf }) => entry === 'vtd.pasid' && bdf === '0000:00:02.0')
    expect(listed.map(({ pasid }) => pasid)).toEqual([0, 1, 5, 1000])
    expect(entries.filter(({ entry, pasid }) => entry === 'vtd.ss' && pasid === 1000).length).toBeGreaterThan(3)
  })

  test('a blocked device has an entry, all zero on both sides', async () => {
    const { entries } = await reproduceAt(`${OWN}intel-7.3.4-legacy-edu-blocked`)
    const zeros = ['0x0000000000000000', '0x0000000000000000']
    expect(entries.find(({ bdf }) => bdf === '0000:00:04.0')).toMatchObject({
      entry: 'vtd.context', recorded: zeros, ours: zeros, verdict: 'equal',
    })
  })
})

// The fixtures are always compared; a larger set only where it lies beside the repository.
if (capturesIn(LARGER).length > 0) describe('a larger set beside the repository', () => {
  test.each(PLATFORMS)('nothing of %s is different', { timeout: 300_000 }, async (platform) => {
    const larger = capturesIn(LARGER, platform)
    const totals = await totalsOf(LARGER, larger)
    process.stdout.write(`${platform}: ${JSON.stringify(totals)}\n`)
    expect(totals).toMatchObject({ captures: larger.length, different: 0 })
    expect(totals.equal).toBeGreaterThanOrEqual((totals.equal + totals.explained) * 0.9)
  })
})

describe('every single wrong bit is seen', () => {
  test.each<[string, string, string, Partial<ReproducedEntry>, readonly string[]]>([
    ['a context entry that translates', legacy, 'vtd.context', { bdf: '0000:00:04.0' }, ['TT', 'DID', 'SSPTPTR']],
    ['a context entry that passes through', mixed, 'vtd.context', { bdf: '0000:00:04.0' }, []],
    ['a context entry that is not there', `${OWN}intel-7.3.4-legacy-edu-blocked`, 'vtd.context', { bdf: '0000:00:04.0' }, []],
    ['a scalable-mode context entry', pasids, 'vtd.sm-context', { bdf: '0000:00:02.0' }, ['DTE', 'PASIDE', 'PDTS', 'PASIDDIRPTR']],
    ['a PASID directory entry', pasids, 'vtd.pasid-dir', { bdf: '0000:00:02.0', pasid: 960 }, ['SMPTBLPTR']],
    ['a PASID entry, first stage', firstStage, 'vtd.pasid', { bdf: '0000:00:04.0' }, ['DID', 'FSPTPTR']],
    ['a PASID entry, second stage', pasids, 'vtd.pasid', { pasid: 1000 }, ['DID', 'SSPTPTR']],
    ['a PASID entry that is not there', `${OWN}intel-7.3.4-scalable-edu-blocked-dma`, 'vtd.pasid', { bdf: '0000:00:04.0' }, []],
    ['a second-stage leaf', legacy, 'vtd.ss', { iova: '0x102000', level: 1 }, ['R', 'W', 'ADDR']],
    ['a second-stage leaf of 2 MiB', legacy, 'vtd.ss', { iova: '0x40200000', level: 2 }, ['R', 'W', 'ADDR']],
    ['a second-stage table entry', legacy, 'vtd.ss', { iova: '0x40000000', level: 3 }, ['ADDR']],
    ['a first-stage leaf', firstStage, 'vtd.fs', { iova: '0x102000', level: 1 }, ['ADDR']],
    ['a first-stage table entry', firstStage, 'vtd.fs', { iova: '0x40000000', level: 3 }, ['ADDR']],
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

  test('what a device may do is told, what the unit cannot do is not believed', async () => {
    const context = await entryOf(legacy, 'vtd.context', { bdf: '0000:00:04.0' })
    expect((await flip(legacy, context, 2)).totals.different).toBe(0)
    expect((await flip(legacy, context, 3)).totals.different).toBe(1)
    const scalable = await entryOf(firstStage, 'vtd.sm-context', { bdf: '0000:00:04.0' })
    expect((await flip(firstStage, scalable, 3)).entries.find(({ verdict }) => verdict === 'different')?.fields).toEqual(['PASIDE'])
  })

  test('what is wrong is named, with both words', async () => {
    const entry = await entryOf(legacy, 'vtd.context', { bdf: '0000:00:04.0' })
    const { entries, totals } = await flip(legacy, entry, 1)
    expect(totals.different).toBe(1)
    expect(entries.find(({ verdict }) => verdict === 'different')).toMatchObject({
      bdf: '0000:00:04.0', entry: 'vtd.context', fields: ['FPD'],
      recorded: ['0x0000000004857003', '0x0000000000000502'], ours: ['0x0000000004857001', '0x0000000000000502'],
    })
  })

  test('an entry that the driver never writes has no words of ours, and a reason', async () => {
    const entry = await entryOf(pasids, 'vtd.pasid', { pasid: 1000 })
    const found = (await flip(pasids, entry, 6)).entries.find(({ verdict }) => verdict === 'different')
    expect(found).toMatchObject({ entry: 'vtd.pasid', ours: [], note: 'the driver has no nested translation' })
  })

  test('a table that was not recorded, and one that leads back to itself', async () => {
    const entry = await entryOf(legacy, 'vtd.ss', { iova: '0x40000000', level: 3 })
    const lead = async (to: bigint): Promise<ReproducedEntry | undefined> => (await reproduceFiles(
      changed(legacy, (word) => (word & 0xfffn) | to, [BigInt(entry.address)]))).entries.find(({ verdict }) => verdict === 'different')
    expect((await lead(0x7_0000_0000n))?.note).toBe('leads to 0x700000000, which was not recorded')
    const own = BigInt(entry.address) & ~0xfffn
    expect((await lead(own))?.note).toBe(`leads to 0x${own.toString(16)}, a table that something else leads to`)
  })
})

describe('tables in which nothing is mapped any more', () => {
  // 0x40000000 is the one 1 GiB of the device with large leaves, 0x7f00000000 has two small pages of its own.
  test.each<[string, number, bigint, bigint]>([
    ['of the smallest pages', 1, 0x7f_0000_0000n, 0x7f_001f_ffffn],
    ['of large pages', 2, 0x4000_0000n, 0x7fff_ffffn],
    ['and a table above it', 2, 0x7f_0000_0000n, 0x7f_3fff_ffffn],
  ])('%s are there in the driver\'s tables too', async (_what, level, first, last) => {
    const inside = ({ iova, level: at }: ReproducedEntry): boolean =>
      iova !== undefined && BigInt(iova) >= first && BigInt(iova) <= last && (at ?? 0) <= level
    const own = (entries: readonly ReproducedEntry[]): ReproducedEntry[] => entries.filter(({ bdf }) => bdf === '0000:00:04.0')
    const gone = own((await reproduceAt(legacy)).entries).filter(inside).map(({ address }) => BigInt(address))
    expect(gone.length).toBeGreaterThan(0)
    const { entries, totals } = await reproduceFiles(changed(legacy, () => 0n, gone))
    expect(own(entries).filter(inside)).toEqual([])
    expect(totals.different).toBe(0)
  })
})

describe('a difference is explained by a rule, and only where the rule holds', () => {
  const isTable = ({ level, recorded: [word] }: ReproducedEntry): boolean =>
    (level ?? 0) > 1 && (BigInt(word as string) & 0x80n) === 0n
  const tablesOf = async (folder: string, entry: string): Promise<bigint[]> =>
    (await entriesOf(folder, entry)).filter(isTable).map(({ address }) => BigInt(address))
  const used = ({ rules }: Reproduction): string[] => rules.map(({ id }) => id)

  const cases: Readonly<Record<string, () => Promise<Reproduction>>> = {
    'second-stage-table-note': async () =>
      reproduceFiles(changed(legacy, (word) => word & ~0x400n, await tablesOf(legacy, 'vtd.ss'))),
    'first-stage-table-note': async () =>
      reproduceFiles(changed(firstStage, (word) => word & ~0x200n, await tablesOf(firstStage, 'vtd.fs'))),
    // With snooping walks no note is needed either.
    'domain-does-not-snoop': async () => {
      const files = changed(pasids, (word) => word & ~0x400n, await tablesOf(pasids, 'vtd.ss'))
      return reproduceFiles(withRegister(files, 'ECAP', 1n << 48n))
    },
    'page-requests': async () => {
      const contexts = (await entriesOf(pasids, 'vtd.sm-context')).map(({ address }) => BigInt(address))
      return reproduceFiles(withRegister(changed(pasids, (word) => word | 0x10n, contexts), 'ECAP', 1n << 29n))
    },
  }

  test('every rule has a case', async () =>
    expect(Object.keys(cases)).toEqual((await captureAt(legacy)).vendor.rules.map(({ id }) => id)))

  test.each(Object.entries(cases))('%s', async (id, run) => {
    const result = await run()
    expect(result.totals.different).toBe(0)
    expect(used(result)).toEqual([id])
    expect(result.totals.explained).toBe(result.rules[0]?.count)
    expect(result.entries.filter(({ rule }) => rule === id).every(({ verdict }) => verdict === 'explained')).toBe(true)
  })

  test('one table entry without the note among others that have it is different', async () => {
    const [one] = await tablesOf(legacy, 'vtd.ss') as [bigint]
    expect((await reproduceFiles(changed(legacy, (word) => word & ~0x400n, [one]))).totals.different).toBe(1)
  })

  test('first-stage and pass-through entries snoop wherever the unit can: no rule excuses those', async () => {
    const result = await reproduceFiles(withRegister(filesOf(firstStage), 'ECAP', 1n << 48n))
    const entries = result.entries.filter(({ entry }) => entry === 'vtd.pasid')
    expect(decodeField(pasidEntry, (entries[0] as ReproducedEntry).recorded.map(BigInt), 'PGTT')).toBe(1)
    expect(entries.every(({ verdict, fields }) => verdict === 'different' && fields?.includes('PWSNP'))).toBe(true)
  })
})
