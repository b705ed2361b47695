// Every block of code and every screen in the documentation is run and compared, or says in its fence that it is not run.
//
//   console           `$ iommu ...` is run from the sources; "..." stands for lines that are left out
//   ts                run; what stands after `// =>` is what its line gives. In packages' READMEs: by the rehearsal, from tarballs
//   sh                every script of npm that it names is there; what begins a day's work is run by what gates landing
//   <any> not run     what needs a network, another language, or words that are made up
import { existsSync, mkdtempSync, readFileSync, realpathSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { floors } from '@iommu-tools/presets/floors'
import { afterAll, describe, expect, test } from 'vitest'
import { iommu } from '../../../packages/cli/test/command.js'
import { exampleOf } from '../../release-rehearsal/example.js'
import { documents } from '../pages.js'
import { blocksOf, commandsOf, missingLine } from '../screens.js'

const root = fileURLToPath(new URL('../../..', import.meta.url))
const read = (file: string): string => readFileSync(join(root, file), 'utf8')
const files = [...documents(root).keys()]

/** Pages, and folders of pages, whose blocks a test of their own holds. */
const ELSEWHERE: Readonly<Record<string, string>> = {
  'docs/findings': 'packages/cli/test/findings.test.ts',
  'docs/write-a-driver.md': 'packages/cli/test/guide.test.ts',
  'docs/which-detach.md': 'packages/cli/test/classify.test.ts',
}
/** Screens that take too long for a test: what gates landing compares them. */
const IN_CI = ['npm start', 'npm run conform']

const here = files.filter((file) => !Object.keys(ELSEWHERE).some((each) => file === each || file.startsWith(`${each}/`)))
const blocks = here.flatMap((file) =>
  blocksOf(read(file)).map((block) => ({ file, ...block })))
const run = blocks.filter(({ of }) => of !== 'not run')
const isPackage = (file: string): boolean => file.startsWith('packages/')

/** Words of a command line as a shell takes them apart. */
const words = (line: string): string[] =>
  [...line.matchAll(/'([^']*)'|"([^"]*)"|(\S+)/g)].map(([, single, double, plain]) => single ?? double ?? plain ?? '')

/** Arguments of `iommu`, undefined for another program. */
const argumentsOf = (command: string): string[] | undefined => {
  const [, rest] = /^(?:iommu|npm run iommu --) (.*)$/.exec(command) ?? []
  return rest === undefined ? undefined : words(rest)
}

test('every block is of a kind that something runs, or says that it is not run', () => {
  const kinds = ({ language, of, file }: typeof blocks[number]): boolean =>
    (of === '' && ['console', 'ts', 'sh'].includes(language)) || (language === 'text' && of === 'floors' && file === 'docs/architecture.md')
  expect(run.filter((block) => !kinds(block)).map(({ file, language, of }) => `${file}: ${language} ${of}`)).toEqual([])
})

test('no fence is overlooked', () => {
  const overlooked = files.filter((file) => [...read(file).matchAll(/^[ \t>]*(?:```|~~~)/gm)].length !== blocksOf(read(file)).length * 2)
  expect(overlooked).toEqual([])
})

test('every promise of an example is one that is checked', () => {
  const unchecked = blocks.filter(({ language }) => language === 'ts').flatMap(({ file, text }) => {
    const promised = text.split('\n').filter((line) => /\/\/ *=>/.test(line)).length
    const held = exampleOf(text).program.split('\n').filter((line) => /^\s*same\(/.test(line)).length
    return promised === held ? [] : [`${file}: ${held} of ${promised}`]
  })
  expect(unchecked).toEqual([])
})

test('pages that are tested elsewhere are', () => {
  for (const [file, by] of Object.entries(ELSEWHERE)) expect(read(by)).toContain(file)
})

test('every screen is of a command that is run, here or by what gates landing', () => {
  const commands = run.filter(({ language }) => language === 'console').flatMap(({ text }) => commandsOf(text)).map(({ command }) => command)
  expect(commands.filter((each) => argumentsOf(each) === undefined && !IN_CI.includes(each))).toEqual([])
  for (const command of IN_CI) expect(read('.ci/run')).toMatch(new RegExp(`tools/site/screen\\.js README\\.md ["']${command}["']`))
})

describe('screens', () => {
  const screens = run.filter(({ language }) => language === 'console').flatMap(({ file, text }) =>
    commandsOf(text).map(({ command, shown }) => ({ file, command, shown, args: argumentsOf(command) })))
  test.each(screens.filter(({ args }) => args !== undefined))('$file: $command', async ({ args, shown }) => {
    const before = process.cwd()
    process.chdir(root)
    try {
      const { code, stdout, stderr } = await iommu(args ?? [])
      expect({ code, stderr, missing: missingLine(shown, stdout) }).toEqual({ code: 0, stderr: '', missing: undefined })
      // Whichever line were another one, this would fail.
      const held = shown.map((line, index) => line.trim() === '...' || missingLine(shown.with(index, `~${line}`), stdout) !== undefined)
      expect(shown.filter((_, index) => held[index] === false)).toEqual([])
    } finally {
      process.chdir(before)
    }
  }, 300_000)
})

describe('commands that are only named', () => {
  const inline = here.flatMap((file) => [...read(file).replaceAll(/^```[\s\S]*?^```$/gm, '').matchAll(/`([^`\n]+)`/g)].map(([, text = '']) => ({ file, text })))
  const inBlocks = blocks.filter(({ language }) => language === 'sh').flatMap(({ file, text }) => text.split('\n').map((line) => ({ file, text: line })))
  const named = [...inline, ...inBlocks].flatMap(({ file, text }) =>
    [...text.matchAll(/(?:^|\s)(?:iommu|npm run iommu --) ([a-z]+)\b([^|]*)/g)].map(([, verb = '', rest = '']) => ({ file, verb, options: rest.match(/--[a-z][a-z-]*/g) ?? [] })))
  const verbs = [...new Set(named.map(({ verb }) => verb))].filter((verb) => verb !== 'help')
  test('are many', () => expect(named.length).toBeGreaterThan(40))
  test.each(verbs)('iommu %s is a verb, and has the options that are named', async (verb) => {
    const { code, stdout } = await iommu(['help', verb])
    expect(code).toBe(0)
    const unknown = named.filter((each) => each.verb === verb).flatMap(({ file, options }) =>
      options.filter((option) => !new RegExp(`${option}(?![a-z-])`).test(stdout)).map((option) => `${file}: ${option}`))
    expect(unknown).toEqual([])
  })
})

test('scripts that are named are there', () => {
  const { scripts } = JSON.parse(read('package.json')) as { readonly scripts: Readonly<Record<string, string>> }
  const named = here.flatMap((file) =>
    [...read(file).matchAll(/\bnpm run (?:--silent )?([a-z][\w:-]*)/g)].map(([, script = '']) => ({ file, script })))
  expect(named.length).toBeGreaterThan(20)
  expect(named.filter(({ script }) => scripts[script] === undefined)).toEqual([])
})

test('the floors are drawn as lint knows them', () => {
  const [drawn] = blocks.filter(({ language, of }) => language === 'text' && of === 'floors')
  const lines = (drawn?.text ?? '').split(/^(?=\d)/m).map((line) => line.split(/\s+/))
  for (const [floor, names] of floors.entries()) {
    const line = lines.find(([number]) => number === String(floor)) ?? []
    for (const name of names) expect(line.some((word) => (name.endsWith('*') ? word.startsWith(name.slice(0, -1)) : word === name)), `${name} on ${floor}`).toBe(true)
  }
  expect(lines.filter(([number]) => number !== '')).toHaveLength(floors.length)
})

test('the comparison can fail', () => {
  const printed = 'one\ntwo\nthree four\nfive\n'
  expect(missingLine(['one', '...', 'three ...', 'five'], printed)).toBeUndefined()
  expect(missingLine(['...', 'five'], printed)).toBeUndefined()
  expect(missingLine(['one', 'three four'], printed)).toBe('three four')
  expect(missingLine(['one', '...', 'six'], printed)).toBe('six')
  expect(missingLine(['one', 'two'], printed)).toBe('the end; "three four" follows')
})

// What a page's ts imports from ./mine.js is the reader's own driver; here it is one that passes.
const MINE = `import { createRiscv } from '@iommu/driver-riscv'
import { createRiscvMachine } from '@iommu/driver-riscv/model'

export const createMyMachine = (endpoints: Parameters<typeof createRiscvMachine>[0]['endpoints']) => createRiscvMachine({ endpoints, profile: { processLevels: [] } })
export const createMyDriver = (machine: Parameters<typeof createRiscv>[0], warn: (sentence: string) => void) => createRiscv(machine, { warn })
`
const programs = run.filter(({ language, file }) => language === 'ts' && !isPackage(file))
const folder = realpathSync(mkdtempSync(join(tmpdir(), 'iommu-documents-')))
symlinkSync(join(root, 'node_modules'), join(folder, 'node_modules'))
writeFileSync(join(folder, 'mine.ts'), MINE)
afterAll(() => rmSync(folder, { recursive: true, force: true }))

// An example of the suite registers tests, so it is loaded while tests are collected.
for (const [index, { text }] of programs.entries()) {
  const file = join(folder, `example-${index}.ts`)
  writeFileSync(file, exampleOf(text).program)
  await import(pathToFileURL(file).href)
}

test('programs of pages were found, and those of packages are run by the rehearsal', () => {
  expect(programs.length).toBeGreaterThan(0)
  expect(existsSync(join(root, 'tools/release-rehearsal/steps.js'))).toBe(true)
})
