// conform: what it prints, what it refuses, and how reports are put together.
import { mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { iommu as command } from './command.js'

const iommu = (...argv: string[]): ReturnType<typeof command> => command(argv)

let folder = ''
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'conform-'))
  symlinkSync(fileURLToPath(new URL('../../../node_modules', import.meta.url)), join(folder, 'node_modules'))
})
afterAll(() => rmSync(folder, { recursive: true }))

describe('conform', () => {
  test('prints a line for each group and a closing line that can be counted', async () => {
    const { code, stdout, stderr } = await iommu('conform', 'driver-intel-vtd', '--only', 'detach')
    expect(code).toBe(0)
    expect(stderr).toBe('')
    expect(stdout).toContain('  DETACH  ✓    45  leaving a domain is setting another one\n')
    expect(stdout.endsWith('\n45 passed, 0 failed, 0 skipped\n')).toBe(true)
  })

  test('says how fast it was to a terminal', async () => {
    const { stderr } = await command(['conform', 'driver-riscv', '--only', 'detach'], '', { isTTY: true })
    expect(stderr).toMatch(/\r\d+\.\d s: [\d,]+ stores and [\d,]+ copies explored a second, [\d,]+ stores a transition\n$/)
  })

  test('names what a backend does not declare, and counts it as skipped', async () => {
    const { stdout } = await iommu('conform', 'driver-intel-vtd', '--only', 'C-PASID-01')
    expect(stdout).toContain('– not declared: PASIDs: C-PASID-01')
    expect(stdout.endsWith('\n7 passed, 0 failed, 8 skipped\n')).toBe(true)
  })

  test('--json has a result for each statement and backend', async () => {
    const { stdout } = await iommu('conform', 'driver-intel-vtd', '--only', 'C-DETACH-01', '--json')
    const { schema, totals, results } = JSON.parse(stdout) as { schema: string; totals: object; results: object[] }
    expect(schema).toBe('iommu.conform/1')
    expect(totals).toMatchObject({ passed: 15, failed: 0, skipped: 0 })
    expect(results[0]).toMatchObject({
      driver: 'driver-intel-vtd', backend: 'scalable mode', profile: 'strict', machine: 'model',
      statement: 'C-DETACH-01', status: 'passed',
    })
  })

  test('--quick runs on the plainest kind of hardware of each driver, says so, and is no part of a whole', async () => {
    const { code, stdout } = await iommu('conform', 'driver-intel-vtd', 'driver-riscv', '--quick', '--only', 'C-DETACH-01')
    expect(code).toBe(0)
    expect(stdout.match(/^ {2}✓ .* stores$/gm)?.map((line) => line.slice(4).split('  ')[0])).toEqual(['scalable mode, first stage only', 'Sv39'])
    expect(stdout).toMatch(
      /\nquick: on 2 of \d+ kinds of hardware, the plainest of each driver; all of them: iommu conform\n2 passed, 0 failed, 0 skipped\n$/)
    const file = join(folder, 'quick.json')
    writeFileSync(file, (await iommu('conform', 'driver-intel-vtd', '--quick', '--only', 'C-DETACH-01', '--json')).stdout)
    const whole = JSON.parse((await iommu('conform', 'driver-intel-vtd', '--only', 'C-DETACH-01', '--json')).stdout) as { results: object[] }
    const of = whole.results.length
    expect(JSON.parse(readFileSync(file, 'utf8'))).toMatchObject({ quick: { kinds: 1, of }, totals: { passed: 1 } })
    expect(await iommu('conform', '--merge', file)).toMatchObject({ code: 2, stderr: expect.stringContaining(`found a quick one, on 1 of ${of}`) as string })
    for (const other of [['--mutants'], ['--profile', 'linux-7.3'], ['--shard', '1/2'], ['--machine', 'qemu']]) {
      expect(await iommu('conform', '--quick', ...other)).toMatchObject({ code: 2, stderr: expect.stringContaining('--quick is for the whole suite') as string })
    }
  })

  /** Reports of shards as files. */
  const shards = async (...which: string[]): Promise<string[]> => {
    const parts = await Promise.all(which.map((shard) => iommu('conform', 'driver-intel-vtd', '--only', 'C-DETACH-01', '--shard', shard, '--json')))
    return parts.map(({ stdout }, index) => {
      const file = join(folder, `${which[index]?.replace('/', '-of-') ?? ''}.json`)
      writeFileSync(file, stdout)
      return file
    })
  }

  test.each([2, 3, 20])('%i shards are the whole, each result once', async (parts) => {
    const files = await shards(...Array.from({ length: parts }, (_, index) => `${index + 1}/${parts}`))
    const whole = JSON.parse((await iommu('conform', 'driver-intel-vtd', '--only', 'C-DETACH-01', '--json')).stdout) as { totals: object; results: object[] }
    const merged = JSON.parse((await iommu('conform', '--merge', ...files, '--json')).stdout) as { totals: object; results: object[] }
    expect(merged.totals).toEqual(whole.totals)
    expect(new Set(merged.results.map((each) => JSON.stringify(each)))).toEqual(new Set(whole.results.map((each) => JSON.stringify(each))))
    expect(merged.results).toHaveLength(whole.results.length)
  })

  test('a merge without one of the shards, with one twice, or with something else is refused', async () => {
    const [first = '', second = '', third = ''] = await shards('1/3', '2/3', '3/3')
    const [other = ''] = await shards('1/2')
    const whole = join(folder, 'whole.json')
    writeFileSync(whole, (await iommu('conform', 'driver-intel-vtd', '--only', 'C-DETACH-01', '--json')).stdout)
    const merge = async (...files: string[]): Promise<string> => {
      const { code, stderr } = await iommu('conform', '--merge', ...files)
      expect(code).toBe(2)
      return stderr
    }
    expect(await merge(first, third)).toContain('expected all 3 shards, found none that is 2/3')
    expect(await merge(first, second, third, second)).toContain(`expected each shard once, found 2/3, which ${second} is too`)
    expect(await merge(first, other)).toContain('expected a shard of 3 with 15 tasks')
    expect(await merge(first, whole)).toContain('expected one of 3 shards')
    expect(await merge(whole, whole)).toContain('expected each result once, found driver-intel-vtd · scalable mode · strict · model · C-DETACH-01')
  })

  test('--seed walks the same walks again, and says how many and with which seed', async () => {
    const walk = (seed: string): ReturnType<typeof command> => iommu('conform', 'driver-riscv', '--only', 'walk', '--walks', '2', '--seed', seed, '--json')
    const totalsOf = ({ stdout }: { stdout: string }): unknown => (JSON.parse(stdout) as { totals: unknown }).totals
    const [one, again, other] = [await walk('7'), await walk('7'), await walk('8')].map(totalsOf)
    expect(one).toMatchObject({ failed: 0, walks: { walks: 26, seeds: [7] } })
    expect(again).toEqual(one)
    expect(other).not.toEqual(one)
    expect((await iommu('conform', 'driver-riscv', '--only', 'C-WALK-01', '--walks', '1', '--seed', '7')).stdout).toMatch(/\n13 random walks of \d+ calls, seed 7\n/)
  })

  test('--profile shows what each deviation of Linux breaks', async () => {
    const { code, stdout } = await iommu('conform', 'driver-intel-vtd', '--profile', 'linux-7.3', '--json')
    expect(code).toBe(0)
    const { schema, totals, results } = JSON.parse(stdout) as {
      schema: string
      totals: { passed: number; failed: number }
      results: readonly { profile: string; statement: string; status: string; reason: string; deviation: { id: string; source: string } }[]
    }
    expect(schema).toBe('iommu.conform/1')
    expect(totals).toMatchObject({ passed: 4, failed: 0 })
    expect(results.map(({ deviation, statement }) => `${deviation.id} ${statement}`)).toEqual([
      'linux-checks-after-block C-ATTACH-10', 'linux-loses-fpd C-SVA-06', 'linux-zeroed-at-once C-PASID-03', 'linux-replaced-in-place C-PASID-03',
    ])
    for (const { profile, reason, deviation } of results) expect([profile, reason.length > 0, deviation.source.includes('drivers/iommu/intel')]).toEqual(['linux-7.3', true, true])
  }, 60_000)

  test('a report with a failure exits with 1 and shows which statement failed, and how', async () => {
    const file = join(folder, 'failed.json')
    writeFileSync(file, JSON.stringify({
      schema: 'iommu.conform/1',
      totals: { passed: 0, failed: 1, skipped: 0, stores: 1, transitions: 1 },
      results: [{
        driver: 'd', backend: 'b', profile: 'strict', machine: 'model', statement: 'C-BLOCK-02', title: 'says', status: 'failed', reason: 'found 0x1000',
      }],
    }))
    const { code, stdout } = await iommu('conform', '--merge', file)
    expect(code).toBe(1)
    expect(stdout).toContain('✗ C-BLOCK-02 on b\n    says\n    found 0x1000\n')
    expect((await iommu('conform', '--merge', file, '--reporter', 'junit')).stdout).toContain('<failure message="found 0x1000"/>')
    expect((await iommu('conform', '--merge', file, '--reporter', 'tap')).stdout).toContain('not ok 1 - C-BLOCK-02 d, b: says')
  })

  test.each([
    [['driver-intel-vtt'], 'there is no driver "driver-intel-vtt"; did you mean driver-intel-vtd?; iommu drivers lists those that are here'],
    [['./nowhere'], './nowhere, driver: expected a module (.js or .mjs), or a folder with dist/backends.js, found nothing'],
    [['--only', 'C-NONE-01'], 'there is no statement or group "C-NONE-01"'],
    [['--shard', '3/2'], '--shard 3/2: expected i/n with 1 <= i <= n'],
    [['--seed', 'x'], '--seed x: expected a whole number'],
    [['--reporter', 'xml'], 'there is no reporter "xml"; there are text, junit, tap'],
    [['--machine', 'abacus'], 'there is no machine "abacus"; there are model, qemu'],
    [['--machine', 'qemu', '--mutants'], '--mutants and --profile run on the model'],
    [['driver-intel-vtd', '--profile', 'linux-1.0'], 'there is no profile "linux-1.0" of driver-intel-vtd; there are strict, linux-7.3'],
    [['--merge', 'nowhere.json'], 'nowhere.json, file: expected a report of iommu conform --json, found no such file'],
  ])('refuses %j in one sentence', async (argv, sentence) => {
    const { code, stdout, stderr } = await iommu('conform', ...argv)
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' })
    expect(stderr).toContain(sentence)
    expect(stderr.trim().split('\n')).toHaveLength(1)
  })

  /** A driver of somebody else's: the plainest of ours, and what is done to it. */
  const made = (change: string): string => `import { backends as ours } from '@iommu/driver-riscv/backends'
const one = ours[0]
const driver = (change) => ({ ...one, createDriver: (...args) => change(one.createDriver(...args)) })
export const backends = [${change}]`
  const LIST = 'a list of backends (name, backend, createMachine, createDriver, physicalBits, deviceBits, ...)'
  const DRIVER = 'backend "extended contexts": expected createMachine and createDriver that make a driver with a manifest, found '
  test.each([
    ['nothing exported', 'export const x = 1', `export "backends": expected ${LIST}, found nothing`],
    ['a number', 'export const backends = 5', `export "backends": expected ${LIST}, found number`],
    ['an empty list', 'export const backends = []', `export "backends": expected ${LIST}, found an empty list`],
    ['half a backend', made('one, { ...one, physicalBits: undefined }'), `export "backends": expected ${LIST}, found one whose element 1 has no physicalBits (a number)`],
    ['variants that are none', `${made('one')}\nexport const variants = 5`, 'export "variants": expected a list of broken drivers, found number'],
    ['a mistake of writing', 'export const backends = [', 'driver: expected a module that can be loaded, found '],
    ['an import that leads nowhere', 'import "no-such-package"', 'driver: expected a module that can be loaded, found Error: '],
    ['a module that throws', 'throw new RangeError("no")', 'driver: expected a module that can be loaded, found RangeError: no'],
    ['a driver that cannot be made', made('{ ...one, createDriver() { throw new TypeError("no unit") } }'), `${DRIVER}TypeError: no unit`],
    ['a machine that cannot be made', made('{ ...one, createMachine() { throw "no" } }'), `${DRIVER}no`],
    ['no driver', made('driver(() => undefined)'), DRIVER],
    ['no manifest', made('driver(({ manifest, ...ops }) => ops)'), `${DRIVER}a driver without one`],
  ])('a module that is no driver is refused with what was expected of it: %s', async (what, text, sentence) => {
    const file = join(folder, `${what}.mjs`)
    writeFileSync(file, text)
    const { code, stdout, stderr } = await iommu('conform', file, '--only', 'C-DRV-01')
    expect(stderr).toContain(sentence)
    expect(stderr.trim().split('\n')).toHaveLength(1)
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' })
  })

  test('a file that is named without a path is one that may be meant', async () => {
    const { code, stderr } = await iommu('conform', 'package.json')
    expect([code, stderr]).toEqual([2, 'iommu conform: there is no driver "package.json"; did you mean ./package.json?; iommu drivers lists those that are here\n'])
  })
})
