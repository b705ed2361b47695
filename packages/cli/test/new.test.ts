// iommu new: what it writes, what it says, and that it never overwrites.
import { existsSync, mkdtempSync, readdirSync, readFileSync, realpathSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { iommu, json } from './command.js'

let folder = ''
const before = process.cwd()
beforeEach(() => {
  folder = realpathSync(mkdtempSync(join(tmpdir(), 'iommu-new-')))
  process.chdir(folder)
})
afterEach(() => {
  process.chdir(before)
  rmSync(folder, { recursive: true, force: true })
})

const ROOMS = ['devices', 'domains', 'model', 'programming', 'tables', 'variants']

describe('outside of the workspace', () => {
  test('the screen', async () => {
    const { code, stdout } = await iommu(['new', 'driver', 'acme'])
    expect(code).toBe(0)
    expect(stdout).toMatchInlineSnapshot(`
      "driver-acme  38 files, the same rooms as the other drivers
        next  cd driver-acme && npm install
              npm test                       it blocks; the rest is not declared yet
              src/tables/device.ts           the entry of your hardware, bits as in its manual
              src/manifest.ts                declare the next thing, and see what fails
              docs/write-a-driver.md         in the iommu repository: how to go on
      "
    `)
  })
  test('every file that is named is there, in the rooms of all drivers', async () => {
    const { schema, files } = await json(['new', 'driver', 'driver-my-chip']) as { schema: string; files: string[] }
    expect(schema).toBe('iommu.new/1')
    expect(files.filter((each) => !existsSync(each))).toEqual([])
    expect(readdirSync('driver-my-chip/src', { withFileTypes: true }).filter((each) => each.isDirectory()).map(({ name }) => name).sort()).toEqual(ROOMS)
    const { name, dependencies } = JSON.parse(readFileSync('driver-my-chip/package.json', 'utf8')) as { name: string; dependencies: Record<string, string> }
    expect([name, Object.keys(dependencies)]).toEqual(['driver-my-chip', ['@iommu/bits', '@iommu/hardware', '@iommu/page-table']])
    expect(readFileSync('driver-my-chip/src/index.ts', 'utf8')).toContain('export { createMyChip } from')
    expect(files.map((each) => readFileSync(each, 'utf8')).filter((text) => /acme/i.test(text))).toEqual([])
  })
  test('what is there is never overwritten', async () => {
    await iommu(['new', 'driver', 'acme'])
    writeFileSync('driver-acme/src/index.ts', 'mine')
    const { code, stdout, stderr } = await iommu(['new', 'driver', 'acme'])
    expect([code, stdout]).toEqual([2, ''])
    expect(stderr).toContain('driver-acme')
    expect(stderr).toContain('a folder that is empty or does not exist yet')
    expect(readFileSync('driver-acme/src/index.ts', 'utf8')).toBe('mine')
  })
})

describe('in the workspace', () => {
  test('it is a package among the others', async () => {
    process.chdir(before)
    const into = join(folder, 'somewhere')
    const { files } = await json(['new', 'driver', 'acme', '--into', into]) as { files: string[] }
    // Another folder than packages/ is outside.
    expect(files.some((each) => each.endsWith('tsconfig.build.json'))).toBe(true)
  })
})

test.each([
  [['new'], 'expected what to make, as in: iommu new driver acme'],
  [['new', 'machine', 'acme'], 'there is no scaffold of "machine"'],
  [['new', 'driver'], 'expected one name'],
  [['new', 'driver', 'a', 'b'], 'expected one name'],
  [['new', 'driver', '../evil'], '"../evil" is no name for a driver'],
  [['new', 'driver', 'Acme'], '"Acme" is no name for a driver'],
])('%j', async (args, says) => {
  const { code, stderr } = await iommu(args)
  expect(code).toBe(2)
  expect(stderr).toContain(says)
  expect(readdirSync(folder)).toEqual([])
})
