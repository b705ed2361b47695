// What holds of every release without a build: no install scripts, no foreign dependencies, workflows with least permissions.
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { onNode } from '@iommu-tools/presets/floors'
import { describe, expect, test } from 'vitest'
import { publishedPackages } from '../packages.js'

const root = fileURLToPath(new URL('../../..', import.meta.url))
const packages = publishedPackages(root)
interface Package {
  readonly name: string
  readonly scripts?: Readonly<Record<string, string>>
  readonly dependencies?: Readonly<Record<string, string>>
  readonly peerDependencies?: Readonly<Record<string, string>>
  readonly optionalDependencies?: Readonly<Record<string, string>>
  readonly license?: string
  readonly publishConfig?: { readonly access?: string }
}
const manifests = packages.map(({ folder }) => JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')) as Package)

/** Scripts that npm runs at somebody's installation. */
const AT_INSTALL = ['preinstall', 'install', 'postinstall', 'prepublish', 'preprepare', 'prepare', 'postprepare']

describe('published packages', () => {
  test('are found', () => {
    expect(manifests.length).toBeGreaterThan(12)
  })
  test('run nothing when they are installed', () => {
    expect(manifests.flatMap(({ name, scripts = {} }) => AT_INSTALL.filter((each) => scripts[each] !== undefined).map((each) => `${name}: ${each}`))).toEqual([])
    expect(packages.filter(({ folder }) => existsSync(join(folder, 'binding.gyp'))).map(({ name }) => name)).toEqual([])
  })
  test('depend on each other and on nothing else', () => {
    const foreign = manifests.flatMap(({ name, dependencies = {}, peerDependencies = {}, optionalDependencies = {} }) =>
      Object.keys({ ...dependencies, ...peerDependencies, ...optionalDependencies }).filter((each) => !each.startsWith('@iommu/')).map((each) => `${name}: ${each}`))
    expect(foreign).toEqual([])
  })
  test('say their licence, and are public', () => {
    expect(manifests.filter(({ license, publishConfig }) => license !== 'Apache-2.0' || publishConfig?.access !== 'public').map(({ name }) => name)).toEqual([])
  })
  test('that a page can load know no Node', () => {
    // Lint forbids the modules; here is that the list of exceptions has not grown.
    expect(onNode).toEqual(['cli', 'kit', 'machine-qemu'])
  })
})

/** Commands of npm that are no scripts of ours. */
const NPM_ITSELF = new Set(['ci', 'audit'])

describe('workflows', () => {
  const folder = join(root, '.github/workflows')
  const workflows = readdirSync(folder).map((file) => ({ file, text: readFileSync(join(folder, file), 'utf8') }))
  test('are three', () => {
    expect(workflows.map(({ file }) => file).sort()).toEqual(['ci.yml', 'exhaustive.yml', 'release.yml'])
  })
  test('pin what they use by its major version', () => {
    const used = workflows.flatMap(({ text }) => [...text.matchAll(/uses: (\S+)/g)].map(([, action = '']) => action))
    expect(used.length).toBeGreaterThan(8)
    expect(used.filter((each) => !/^[\w-]+\/[\w-]+@v\d+$/.test(each))).toEqual([])
  })
  test('may read, and a release alone may write', () => {
    for (const { file, text } of workflows) {
      const [, first = ''] = /^permissions:([\s\S]*?)^\w/m.exec(text) ?? []
      expect(`${file}:${first.trim()}`).toMatch(/:(?:contents: read|\{\})$/)
      expect(`${file}: ${/: write$/m.test(text) ? 'writes' : 'reads'}`).toBe(`${file}: ${file === 'release.yml' ? 'writes' : 'reads'}`)
    }
  })
  test('run scripts that are there', () => {
    const { scripts } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { readonly scripts: Readonly<Record<string, string>> }
    const named = workflows.flatMap(({ text }) => [...text.matchAll(/npm (?:run (?:--silent )?)?([\w:-]+)/g)].map(([, script = '']) => script))
    expect(named.length).toBeGreaterThan(10)
    expect(named.filter((script) => scripts[script] === undefined && !NPM_ITSELF.has(script))).toEqual([])
    const files = workflows.flatMap(({ text }) => [...text.matchAll(/run: bash (\S+)/g)].map(([, file = '']) => file))
    expect(files.map((file) => [file, existsSync(join(root, file))])).toEqual([['.ci/run', true]])
  })
  test('keep no credentials where nothing is written', () => {
    for (const { file, text } of workflows.filter(({ file: each }) => each !== 'release.yml')) {
      const [checkouts, without] = [/actions\/checkout@/g, /persist-credentials: false/g].map((each) => text.match(each)?.length ?? 0)
      expect([file, without]).toEqual([file, checkouts])
    }
  })
  test('have a shard for each part', () => {
    const text = workflows.find(({ file }) => file === 'exhaustive.yml')?.text ?? ''
    const [, parts = ''] = /SHARDS: (\d+)/.exec(text) ?? []
    const lists = [...text.matchAll(/shard: \[(.*)\]/g)].map(([, list = '']) => list.split(', '))
    expect(lists.map((list) => [list.length, list.at(-1)])).toEqual([[Number(parts), parts], [Number(parts), parts]])
  })
})
