// What the scaffold makes, made: a driver in a folder of its own, run by the suite from its sources.
import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, readFileSync, realpathSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { mutantTrials, runSuite } from '@iommu/conformance'
import type { Backend, DriverVariant, Result } from '@iommu/conformance'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { findWorkspace, readName, scaffoldDriver } from '../src/index.js'
import type { DriverName } from '../src/index.js'

const root = findWorkspace(fileURLToPath(new URL('.', import.meta.url))) as string
let folder = ''
beforeAll(() => {
  folder = realpathSync(mkdtempSync(join(tmpdir(), 'iommu-kit-')))
  // What an installation would bring.
  symlinkSync(join(root, 'node_modules'), join(folder, 'node_modules'))
})
afterAll(() => rmSync(folder, { recursive: true, force: true }))

/** Writes a driver, with some of its files changed, and answers where. */
const make = (name: string, change: (path: string, text: string) => string = (_path, text) => text): string => {
  const at = join(folder, `driver-${name}`)
  for (const { path, text } of scaffoldDriver(readName(name) as DriverName, false)) {
    mkdirSync(dirname(join(at, path)), { recursive: true })
    writeFileSync(join(at, path), change(path, text))
  }
  return at
}
interface Made {
  readonly backends: readonly Backend[]
  readonly variants: readonly DriverVariant[]
}
const load = async (at: string): Promise<Made> => ({
  ...await import(pathToFileURL(join(at, 'src/backends.ts')).href),
  ...await import(pathToFileURL(join(at, 'src/variants/index.ts')).href),
}) as Made
const suiteOn = async (at: string): Promise<readonly Result[]> => (await load(at)).backends.flatMap((backend) => runSuite(backend).results)

const failed = (results: readonly Result[]): string[] =>
  results.filter(({ status }) => status === 'failed').map(({ statement, reason }) => `${statement}: ${reason ?? ''}`)
const named = (results: readonly Result[], status: Result['status']): string[] =>
  results.filter((each) => each.status === status).map(({ statement }) => statement)

describe('day one', () => {
  test('it blocks: nothing fails, and what is not declared says why', async () => {
    const results = await suiteOn(make('my-chip'))
    expect(failed(results)).toEqual([])
    expect(named(results, 'passed')).toEqual(expect.arrayContaining(['C-BLOCK-01', 'C-BLOCK-02', 'C-BLOCK-03', 'C-BLOCK-04', 'C-DRV-04', 'C-DRV-05', 'C-ATTACH-06']))
    const rest = results.filter(({ status }) => status !== 'passed')
    // What needs every moment to be looked at waits for an adversarial mode of the model.
    const reasons = new Set(rest.map(({ status, reason }) => `${status}: ${reason ?? 'without a reason'}`))
    expect([...reasons].filter((each) => !/^(not-declared: not declared: |unavailable: unavailable: )./.test(each))).toEqual([])
    expect([...reasons]).toEqual(expect.arrayContaining([
      'not-declared: not declared: paging domains', 'not-declared: not declared: PASIDs', 'not-declared: not declared: identity',
    ]))
  })
  test('it compiles, with the strictness of its own', () => {
    const at = make('typed')
    const tsc = join(root, 'node_modules/typescript/bin/tsc')
    const { status, stdout } = spawnSync(process.execPath, [tsc, '-p', at, '--customConditions', '@iommu/source'], { encoding: 'utf8' })
    expect([stdout, status]).toEqual(['', 0])
  }, 60_000)
  test('each of its broken drivers is caught', async () => {
    const { backends, variants } = await load(make('broken'))
    const trials = mutantTrials(backends, variants, []).filter(({ part }) => part === 'variant')
    expect(trials.map((each) => each.run()).map(({ id, caught, caughtBy }) => [id, caught, caughtBy.map(({ statement }) => statement).sort()]))
      .toEqual(variants.map(({ id, breaks }) => [id, true, [...breaks].sort()]))
  })
})

describe('with another layout', () => {
  const layout = (...changes: readonly (readonly [from: string, to: string])[]) => (path: string, text: string): string =>
    (path === 'src/tables/device.ts' ? changes.reduce((sofar, [from, to]) => sofar.replace(from, to), text) : text)
  test.each([
    ['an entry of one word', layout(['bits: 128', 'bits: 64'], ['[[127, 4]]', '[[63, 4]]'])],
    ['V in another word', layout(['bit(0,', 'bit(64,'], ['[[127, 4]]', '[[127, 65], [63, 4], [0, 0]]'])],
  ])('%s: nothing else has to be changed', async (name, change) => {
    expect(failed(await suiteOn(make(name.toLowerCase().replaceAll(' ', '-'), change)))).toEqual([])
  })
})

describe('declared, and not built', () => {
  const declares = (what: string, as: string) => (path: string, text: string): string =>
    (path === 'src/manifest.ts' ? text.replace(`  ${what}: NOWHERE,`, `  ${what}: ${as},`) : text)
  test('identity: its statements run, and say what is missing', async () => {
    const results = await suiteOn(make('early', declares('identity', '{ rid: true, pasid: false }')))
    const reasons = new Map(failed(results).map((each) => [each.slice(0, each.indexOf(':')), each.slice(each.indexOf(':') + 2)]))
    expect(['C-IDENT-01', 'C-IDENT-04', 'C-IDENT-05', 'C-BLOCK-02', 'C-ATTACH-05'].map((id) => reasons.get(id)))
      .toEqual(Array.from({ length: 5 }, () => 'the driver has no identity domain'))
    // The core layer, which cannot give the default domain that was promised, says so in its own words; nothing crashes.
    expect([...reasons.values()]).toContain('unexpected IommuError: EOPNOTSUPP: driver-early has no identity domain')
    expect([...reasons.values()].filter((each) => /TypeError|RangeError|undefined/.test(each))).toEqual([])
  })
  test('paging: the same', async () => {
    const results = await suiteOn(make('earlier', (path, text) =>
      declares('paging', '{ rid: true, pasid: false }')(path, text).replace('  formats: [],', '  formats: [\'4-level\'],')))
    const reasons = failed(results)
    expect(reasons).toEqual(expect.arrayContaining(['C-MAP-03: the driver allocates no paging domains', 'C-UNMAP-01: the driver allocates no paging domains']))
    expect(reasons.length).toBeGreaterThan(40)
  })
})

describe('in this workspace', () => {
  const files = new Map(scaffoldDriver(readName('riscv') as DriverName, true).map(({ path, text }) => [path, text]))
  const ours = (file: string): string => readFileSync(join(root, 'packages/driver-riscv', file), 'utf8')
  // What the planners of its entries are for others (`iommu diff`) came later, as in the other drivers.
  const GROWN = 'reproduce'
  test('a driver that was made so is still of that package, and has grown by one entry', () => {
    const { description: _made, ...made } = JSON.parse(files.get('package.json') as string) as Record<string, unknown>
    const { description: _is, exports, ...is } = JSON.parse(ours('package.json')) as { readonly description: string; readonly exports: Record<string, unknown> }
    const { [`./${GROWN}`]: grown, ...entries } = exports
    expect(grown).toBeDefined()
    expect({ ...is, exports: entries }).toEqual(made)
    expect(ours('tsup.config.ts').replace(/^.*reproduce.*\n/m, '')).toBe(files.get('tsup.config.ts'))
    expect(JSON.parse(ours('tsconfig.json'))).toEqual(JSON.parse(files.get('tsconfig.json') as string))
  })
  test('and has grown in its rooms', () => {
    const sources = [...files.keys()].filter((path) => path.startsWith('src/') && existsSync(join(root, 'packages/driver-riscv', path)))
    // Device entries are device contexts there, and the point of a device is in files of its own.
    expect([...files.keys()].filter((path) => path.startsWith('src/') && !sources.includes(path))).toEqual(['src/tables/device.ts'])
  })
})

test.each([
  ['acme', { kebab: 'acme', pascal: 'Acme' }], ['driver-my-chip2', { kebab: 'my-chip2', pascal: 'MyChip2' }],
  ['', undefined], ['My', undefined], ['a--b', undefined], ['a/b', undefined], ['2x', undefined],
])('the name "%s"', (text, name) => expect(readName(text)).toEqual(name))
