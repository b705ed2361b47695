// docs/write-a-driver.md, followed word for word: its screens are what the command and the suite print, its files are
// written and its changes made in order, and its excerpts stand in the sources.
import { cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, realpathSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { mutantTrials, renderText, runSuite } from '@iommu/conformance'
import type { Backend, DriverVariant, Report } from '@iommu/conformance'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { iommu } from './command.js'

const root = fileURLToPath(new URL('../../..', import.meta.url))
const guide = readFileSync(join(root, 'docs/write-a-driver.md'), 'utf8')

interface Block {
  readonly kind: string
  /** What stands behind the kind: a file, or what a screen is of. */
  readonly of: string
  readonly text: string
  readonly chapter: string
}
const blocks: readonly Block[] = guide.split(/^## /m).flatMap((part) =>
  [...part.matchAll(/^```(\w+) ?(.*)\n([\s\S]*?)^```$/gm)].map(([, kind = '', of = '', text = '']) =>
    ({ kind, of, text, chapter: part.slice(0, part.indexOf('\n')) })))
const lines = (text: string): string[] => text.split('\n').filter((line) => line !== '')

let folder = ''
const before = process.cwd()
beforeAll(() => {
  folder = realpathSync(mkdtempSync(join(tmpdir(), 'iommu-guide-')))
  symlinkSync(join(root, 'node_modules'), join(folder, 'node_modules'))
  process.chdir(folder)
})
afterAll(() => {
  process.chdir(before)
  rmSync(folder, { recursive: true, force: true })
})

/** A change as the guide prints it: each hunk is found once, and replaced. */
const patch = (file: string, text: string, hunks: string): string => hunks.split('@@\n').reduce((now, hunk) => {
  const side = (marks: string): string => hunk.replace(/\n$/, '').split('\n')
    .filter((line) => marks.includes(line[0] ?? ' ')).map((line) => `${line.slice(1)}\n`).join('')
  expect(`${file}: ${now.split(side(' -')).length - 1} places for\n${side(' -')}`).toBe(`${file}: 1 places for\n${side(' -')}`)
  return now.replace(side(' -'), () => side(' +'))
}, text)

/** Copies the driver as it is now, since a module is loaded once only, and loads it. */
let copies = 0
const load = async (change: (path: string, text: string) => string = (_path, text) => text): Promise<{
  readonly backends: readonly Backend[]; readonly variants: readonly DriverVariant[]
}> => {
  const at = join(folder, `copy-${copies++}`)
  cpSync(join(folder, 'driver-acme/src'), join(at, 'src'), { recursive: true })
  for (const file of readdirSync(join(at, 'src'))) {
    if (file.endsWith('.ts')) writeFileSync(join(at, 'src', file), change(`src/${file}`, readFileSync(join(at, 'src', file), 'utf8')))
  }
  const part = async (file: string): Promise<object> => await import(pathToFileURL(join(at, file)).href) as object
  return { ...await part('src/backends.ts'), ...await part('src/variants/index.ts') } as Awaited<ReturnType<typeof load>>
}
const report = (backends: readonly Backend[]): Report => runSuite(backends[0] as Backend)

describe('the guide', () => {
  test('its command line', async () => {
    const [screen] = blocks.filter(({ kind }) => kind === 'console')
    const [command, ...output] = (screen?.text ?? '').split('\n')
    const { code, stdout } = await iommu((command ?? '').replace('$ iommu ', '').split(' '))
    expect([code, stdout]).toEqual([0, output.join('\n')])
  })
  test('the files that it names are there', () => {
    const named = [...guide.matchAll(/^\| `([^`]+)` \|/gm)].map(([, file = '']) => file)
    expect(named.length).toBeGreaterThan(10)
    expect(named.filter((file) => !existsSync(join(folder, 'driver-acme', file)))).toEqual([])
  })
  test('its excerpts stand in the sources', () => {
    const excerpts = blocks.filter(({ kind, of }) => kind === 'ts' && of.startsWith('packages/'))
    expect(excerpts.length).toBeGreaterThan(5)
    for (const { of, text } of excerpts) expect(`${of}: ${readFileSync(join(root, of), 'utf8').includes(text) ? '' : text}`).toBe(`${of}: `)
  })

  const chapters = ['1. A driver on the first day', '3. Identity', '4. Pages']
  test.each(chapters)('%s: what it says to write is written, and the suite prints what it shows', async (chapter) => {
    const here = blocks.filter((each) => each.chapter === chapter)
    for (const { kind, of, text } of here) {
      const file = join(folder, 'driver-acme', of)
      if (kind === 'ts') {
        mkdirSync(dirname(file), { recursive: true })
        writeFileSync(file, text)
      } else if (kind === 'diff') writeFileSync(file, patch(of, readFileSync(file, 'utf8'), text))
    }
    const { backends, variants } = await load()
    const found = report(backends)
    expect(found.results.filter(({ status }) => status === 'failed').map(({ statement, reason }) => `${statement}: ${reason ?? ''}`)).toEqual([])
    const printed = lines(renderText(found))
    const shown = (line: string): boolean => printed.some((each) => each.startsWith(line))
    for (const { text } of here.filter(({ of }) => of === 'conform')) expect(lines(text).filter((line) => !shown(line))).toEqual([])
    for (const trial of mutantTrials(backends, variants, []).filter(({ part }) => part === 'variant')) {
      const { id, caught, breaks, caughtBy } = trial.run()
      expect([id, caught, caughtBy.map(({ statement }) => statement).sort()]).toEqual([id, true, [...breaks].sort()])
    }
  }, 300_000)
  test('what it shows of a driver that declares too much', async () => {
    rmSync(join(folder, 'driver-acme'), { recursive: true })
    await iommu(['new', 'driver', 'acme'])
    const { backends } = await load((path, text) =>
      (path === 'src/manifest.ts' ? text.replace('identity: NOWHERE', 'identity: { rid: true, pasid: false }') : text))
    const printed = lines(renderText(report(backends)))
    const [{ text } = { text: 'nothing' }] = blocks.filter(({ of }) => of === 'declared identity')
    expect(lines(text).filter((line) => !printed.includes(line))).toEqual([])
  }, 60_000)
})
