// Recorded entries, written again by the driver: the same words; and every wrong bit is seen.
import { describe, expect, test } from 'vitest'
import { decodeField } from '@iommu/bits'
import { pasidEntry } from '@iommu/driver-intel-vtd/tables'
import { findEntry, readCapture, reproduce, reproduceRules } from '../src/index.js'
import type { CaptureFiles, ReproducedEntry, Reproduction } from '../src/index.js'
import { captureAt, filesOf, intelCaptures, LARGER, OWN } from './recorded.js'

const legacy = `${OWN}intel-7.3.4-legacy-edu-vfio`
const mixed = `${OWN}intel-7.3.4-legacy-mixed-identity`
const firstStage = `${OWN}intel-7.3.4-scalable-firststage-edu-vfio`
const pasids = `${OWN}intel-7.3.4dbg-scalable-pasid-secondstage-pasid`

interface Totals { captures: number; equal: number; explained: number; different: number }

const totalsOf = (folder: string, names: readonly string[]): Totals => names.reduce((sum, name) => {
  const { totals } = reproduce(captureAt(`${folder}${name}`))
  return {
    captures: sum.captures + 1, equal: sum.equal + totals.equal, explained: sum.explained + totals.explained,
    different: sum.different + totals.different,
  }
}, { captures: 0, equal: 0, explained: 0, different: 0 })

describe('the driver writes what Linux wrote', () => {
  const own = intelCaptures(OWN)
  test.each(own)('%s', (name) => {
    const { totals, entries } = reproduce(captureAt(`${OWN}${name}`))
    expect(entries.filter(({ verdict }) => verdict === 'different')).toEqual([])
    expect(totals.equal + totals.explained).toBe(entries.length)
    expect(totals.equal).toBeGreaterThanOrEqual(entries.length * 0.9)
  })

  test('every kind of entry is among them', () => {
    const kinds = own.flatMap((name) => reproduce(captureAt(`${OWN}${name}`)).entries.map(({ entry }) => entry))
    expect([...new Set(kinds)].sort()).toEqual([
      'vtd.context', 'vtd.fs', 'vtd.pasid', 'vtd.pasid-dir', 'vtd.sm-context', 'vtd.ss',
    ])
    expect(totalsOf(OWN, own)).toEqual({ captures: 8, equal: 4704, explained: 0, different: 0 })
  })

  test('PASIDs with their own tables', () => {
    const { entries } = reproduce(captureAt(pasids))
    const listed = entries.filter(({ entry, bdf }) => entry === 'vtd.pasid' && bdf === '0000:00:02.0')
    expect(listed.map(({ pasid }) => pasid)).toEqual([0, 1, 5, 1000])
    expect(entries.filter(({ entry, pasid }) => entry === 'vtd.ss' && pasid === 1000).length).toBeGreaterThan(3)
  })

  test('a blocked device has an entry, all zero on both sides', () => {
    const { entries } = reproduce(captureAt(`${OWN}intel-7.3.4-legacy-edu-blocked`))
    const zeros = ['0x0000000000000000', '0x0000000000000000']
    expect(entries.find(({ bdf }) => bdf === '0000:00:04.0')).toMatchObject({
      entry: 'vtd.context', recorded: zeros, ours: zeros, verdict: 'equal',
    })
  })
})

const larger = intelCaptures(LARGER)
// The fixtures are always compared; a larger set only where it lies beside the repository.
if (larger.length > 0) describe('a larger set beside the repository', () => {
  test('nothing is different', { timeout: 300_000 }, () => {
    const totals = totalsOf(LARGER, larger)
    expect(totals).toMatchObject({ captures: larger.length, different: 0 })
    expect(totals.equal).toBeGreaterThanOrEqual((totals.equal + totals.explained) * 0.9)
  })
})

interface Tables { readonly pages: Record<string, number>; readonly zeroPages: readonly string[] }

/** The files with some words of memory changed. A page that holds only zeros gets a place in the file first. */
const changed = (folder: string, edit: (word: bigint) => bigint, at: readonly bigint[], files = filesOf(folder)): CaptureFiles => {
  const tables = JSON.parse(files.tables) as Tables
  const pageOf = (address: bigint): string => `0x${(address & ~0xfffn).toString(16)}`
  const zero = [...new Set(at.map(pageOf))].filter((page) => tables.pages[page] === undefined)
  const bytes = new Uint8Array(files.bytes.length + zero.length * 4096)
  bytes.set(files.bytes)
  zero.forEach((page, index) => { tables.pages[page] = files.bytes.length + index * 4096 })
  const view = new DataView(bytes.buffer)
  // Equal pages share their place in the file: each is edited once.
  const places = new Set(at.map((address) => (tables.pages[pageOf(address)] as number) + Number(address & 0xfffn)))
  for (const place of places) view.setBigUint64(place, edit(view.getBigUint64(place, true)), true)
  const zeroPages = tables.zeroPages.filter((page) => !zero.includes(page))
  return { ...files, bytes, tables: JSON.stringify({ ...tables, zeroPages }) }
}

/** The files of a machine that has this device and no other. */
const alone = (folder: string, bdf: string): CaptureFiles => {
  const files = filesOf(folder)
  const meta = JSON.parse(files.meta) as { devices: { bdf: string }[] }
  return { ...files, meta: JSON.stringify({ ...meta, devices: meta.devices.filter((each) => each.bdf === bdf) }) }
}

/** The files with bits of a register set. */
const withRegister = (files: CaptureFiles, register: string, bits: bigint): CaptureFiles => {
  const parsed = JSON.parse(files.registers) as { registers: { name: string; value: string }[] }
  for (const each of parsed.registers) if (each.name === register) each.value = `0x${(BigInt(each.value) | bits).toString(16)}`
  return { ...files, registers: JSON.stringify(parsed) }
}

const entriesOf = (folder: string, entry: string): ReproducedEntry[] =>
  reproduce(captureAt(folder)).entries.filter((each) => each.entry === entry)
const entryOf = (folder: string, entry: string, about: Partial<ReproducedEntry>): ReproducedEntry =>
  entriesOf(folder, entry).find((each) =>
    Object.entries(about).every(([name, value]) => each[name as keyof ReproducedEntry] === value)) as ReproducedEntry

const flip = (folder: string, { address, bdf }: ReproducedEntry, bit: number): Reproduction => reproduce(readCapture(changed(
  folder, (word) => word ^ (1n << BigInt(bit % 64)), [BigInt(address) + BigInt(8 * Math.floor(bit / 64))], alone(folder, bdf))))

/** Bits of an entry that are taken from the record: flipped, they stand for something else that is as good. */
const told = (entry: string, ...names: readonly string[]): ReadonlySet<number> => new Set(
  Object.entries(findEntry(entry).fields).filter(([name]) => names.includes(name))
    .flatMap(([, { runs }]) => runs.flatMap(([high, low]) => Array.from({ length: high - low + 1 }, (_, index) => low + index))))

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
  ])('%s', { timeout: 60_000 }, (_what, folder, name, about, fields) => {
    const entry = entryOf(folder, name, about)
    const known = told(name, ...fields)
    const unseen = Array.from({ length: findEntry(name).bits }, (_, bit) => bit)
      .filter((bit) => !known.has(bit) && flip(folder, entry, bit).totals.different === 0)
    expect(unseen).toEqual([])
  })

  test('what a device may do is told, what the unit cannot do is not believed', () => {
    const context = entryOf(legacy, 'vtd.context', { bdf: '0000:00:04.0' })
    expect(flip(legacy, context, 2).totals.different).toBe(0)
    expect(flip(legacy, context, 3).totals.different).toBe(1)
    const scalable = entryOf(firstStage, 'vtd.sm-context', { bdf: '0000:00:04.0' })
    expect(flip(firstStage, scalable, 3).entries.find(({ verdict }) => verdict === 'different')?.fields).toEqual(['PASIDE'])
  })

  test('what is wrong is named, with both words', () => {
    const entry = entryOf(legacy, 'vtd.context', { bdf: '0000:00:04.0' })
    const { entries, totals } = flip(legacy, entry, 1)
    expect(totals.different).toBe(1)
    expect(entries.find(({ verdict }) => verdict === 'different')).toMatchObject({
      bdf: '0000:00:04.0', entry: 'vtd.context', fields: ['FPD'],
      recorded: ['0x0000000004857003', '0x0000000000000502'], ours: ['0x0000000004857001', '0x0000000000000502'],
    })
  })

  test('an entry that the driver never writes has no words of ours, and a reason', () => {
    const entry = entryOf(pasids, 'vtd.pasid', { pasid: 1000 })
    const found = flip(pasids, entry, 6).entries.find(({ verdict }) => verdict === 'different')
    expect(found).toMatchObject({ entry: 'vtd.pasid', ours: [], note: 'the driver has no nested translation' })
  })

  test('a table that was not recorded, and one that leads back to itself', () => {
    const entry = entryOf(legacy, 'vtd.ss', { iova: '0x40000000', level: 3 })
    const lead = (to: bigint): ReproducedEntry | undefined => reproduce(readCapture(
      changed(legacy, (word) => (word & 0xfffn) | to, [BigInt(entry.address)]))).entries.find(({ verdict }) => verdict === 'different')
    expect(lead(0x7_0000_0000n)?.note).toBe('leads to 0x700000000, which was not recorded')
    const own = BigInt(entry.address) & ~0xfffn
    expect(lead(own)?.note).toBe(`leads to 0x${own.toString(16)}, a table that something else leads to`)
  })
})

describe('tables in which nothing is mapped any more', () => {
  // 0x40000000 is the one 1 GiB of the device with large leaves, 0x7f00000000 has two small pages of its own.
  test.each<[string, number, bigint, bigint]>([
    ['of the smallest pages', 1, 0x7f_0000_0000n, 0x7f_001f_ffffn],
    ['of large pages', 2, 0x4000_0000n, 0x7fff_ffffn],
    ['and a table above it', 2, 0x7f_0000_0000n, 0x7f_3fff_ffffn],
  ])('%s are there in the driver\'s tables too', (_what, level, first, last) => {
    const inside = ({ iova, level: at }: ReproducedEntry): boolean =>
      iova !== undefined && BigInt(iova) >= first && BigInt(iova) <= last && (at ?? 0) <= level
    const own = (entries: readonly ReproducedEntry[]): ReproducedEntry[] => entries.filter(({ bdf }) => bdf === '0000:00:04.0')
    const gone = own(reproduce(captureAt(legacy)).entries).filter(inside).map(({ address }) => BigInt(address))
    expect(gone.length).toBeGreaterThan(0)
    const { entries, totals } = reproduce(readCapture(changed(legacy, () => 0n, gone)))
    expect(own(entries).filter(inside)).toEqual([])
    expect(totals.different).toBe(0)
  })
})

describe('a difference is explained by a rule, and only where the rule holds', () => {
  const isTable = ({ level, recorded: [word] }: ReproducedEntry): boolean =>
    (level ?? 0) > 1 && (BigInt(word as string) & 0x80n) === 0n
  const tablesOf = (folder: string, entry: string): bigint[] =>
    entriesOf(folder, entry).filter(isTable).map(({ address }) => BigInt(address))
  const used = ({ rules }: Reproduction): string[] => rules.map(({ id }) => id)

  const cases: Readonly<Record<string, () => Reproduction>> = {
    'second-stage-table-note': () =>
      reproduce(readCapture(changed(legacy, (word) => word & ~0x400n, tablesOf(legacy, 'vtd.ss')))),
    'first-stage-table-note': () =>
      reproduce(readCapture(changed(firstStage, (word) => word & ~0x200n, tablesOf(firstStage, 'vtd.fs')))),
    'first-stage-width': () => {
      const live = entriesOf(firstStage, 'vtd.pasid').map(({ address }) => BigInt(address))
      const files = changed(firstStage, (word) => word | 0x0cn, live)
      return reproduce(readCapture(withRegister(files, 'CAP', 1n << 11n)))
    },
    // With snooping walks no note is needed either.
    'domain-does-not-snoop': () => {
      const files = changed(pasids, (word) => word & ~0x400n, tablesOf(pasids, 'vtd.ss'))
      return reproduce(readCapture(withRegister(files, 'ECAP', 1n << 48n)))
    },
    'page-requests': () => {
      const contexts = entriesOf(pasids, 'vtd.sm-context').map(({ address }) => BigInt(address))
      return reproduce(readCapture(withRegister(changed(pasids, (word) => word | 0x10n, contexts), 'ECAP', 1n << 29n)))
    },
  }

  test('every rule has a case', () => expect(Object.keys(cases)).toEqual(reproduceRules.map(({ id }) => id)))

  test.each(Object.entries(cases))('%s', (id, run) => {
    const result = run()
    expect(result.totals.different).toBe(0)
    expect(used(result)).toEqual([id])
    expect(result.totals.explained).toBe(result.rules[0]?.count)
    expect(result.entries.filter(({ rule }) => rule === id).every(({ verdict }) => verdict === 'explained')).toBe(true)
  })

  test('one table entry without the note among others that have it is different', () => {
    const [one] = tablesOf(legacy, 'vtd.ss') as [bigint]
    expect(reproduce(readCapture(changed(legacy, (word) => word & ~0x400n, [one]))).totals.different).toBe(1)
  })

  test('first-stage and pass-through entries snoop wherever the unit can: no rule excuses those', () => {
    const result = reproduce(readCapture(withRegister(filesOf(firstStage), 'ECAP', 1n << 48n)))
    const entries = result.entries.filter(({ entry }) => entry === 'vtd.pasid')
    expect(decodeField(pasidEntry, (entries[0] as ReproducedEntry).recorded.map(BigInt), 'PGTT')).toBe(1)
    expect(entries.every(({ verdict, fields }) => verdict === 'different' && fields?.includes('PWSNP'))).toBe(true)
  })
})
