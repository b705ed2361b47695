// The rehearsal: packs every public package, installs each alone in an empty project (with what its README's example
// imports besides), and uses it there.
//
//   node rehearse.js [--json] [--only NAME ...]     the packages must have been built
//
// Nothing is asked of a registry: what a package needs must be among our own tarballs.
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import ts from 'typescript'
import { budgetOf, bundle } from './bundle.js'
import { examplesOf } from './example.js'
import { pack, publishedPackages, withNeeds } from './packages.js'
import { createProject, run } from './project.js'
import { expectedToMove, movedBy } from './versions.js'

const root = fileURLToPath(new URL('../..', import.meta.url))
const { values } = parseArgs({ options: { json: { type: 'boolean' }, only: { type: 'string', multiple: true } } })
const work = mkdtempSync(join(tmpdir(), 'iommu-rehearsal-'))
const onNode = new Set(['@iommu/cli', '@iommu/kit', '@iommu/machine-qemu'])
const talk = (text) => void process.stderr.write(`${text}\n`)
const say = (text) => void process.stdout.write(`${text}\n`)

/** A step of one package: true, "none" where there is nothing to do, or what went wrong. */
const attempt = async (does) => {
  try {
    return await does()
  } catch (error) {
    return error instanceof Error ? error.message : String(error)
  }
}
const verdict = ({ ok, text }) => (ok ? true : text)

const RESOLUTIONS = {
  node16: { module: 'node16', moduleResolution: 'node16' },
  bundler: { module: 'esnext', moduleResolution: 'bundler' },
}

/** Type-checks the README's examples and an import of every entry, with declarations looked into. */
const typeCheck = (project, { name, entries }, examples, resolution) => {
  const files = [
    ...examples.map(({ source }, index) => [`example-${index}.ts`, source]),
    ['entries.ts', entries.map((entry, index) => `import * as e${index} from '${join(name, entry)}'\nvoid e${index}`).join('\n')],
  ]
  const folder = join(project, resolution)
  mkdirSync(folder)
  writeFileSync(join(folder, 'package.json'), '{"type":"module"}')
  for (const [file, text] of files) writeFileSync(join(folder, file), text)
  writeFileSync(join(folder, 'tsconfig.json'), JSON.stringify({
    compilerOptions: {
      ...RESOLUTIONS[resolution], target: 'es2022', lib: ['es2023'], strict: true, noEmit: true, skipLibCheck: false, types: ['node'],
    },
    include: ['*.ts'],
  }))
  return verdict(run(folder, process.execPath, [join(root, 'node_modules/typescript/bin/tsc'), '-p', '.']))
}

/** Runs the README's examples with what they promise. */
const runExamples = (project, examples) => {
  if (examples.length === 0) return 'none'
  for (const [index, { program }] of examples.entries()) {
    const file = `example-${index}.mjs`
    const { outputText } = ts.transpileModule(program, {
      compilerOptions: { target: ts.ScriptTarget.ES2022, module: ts.ModuleKind.ESNext },
    })
    writeFileSync(join(project, file), outputText)
    const { ok, text } = run(project, process.execPath, [file])
    if (!ok) return text
  }
  return true
}

const SUITE = (runner, name) => `import { describe, test } from '${runner}'
import { conformance } from '@iommu/conformance'
import { backends } from '${name}/backends'

conformance({ describe, test }, backends[0])
`

/** The suite from its tarball on a driver from its tarball, under node:test and under vitest. */
const runSuite = (all, filesOf, { name, entries }) => {
  if (!entries.includes('./backends')) return 'none'
  const project = join(work, `${name.replace('/', '-')}-suite`)
  const installed = createProject(project, filesOf(withNeeds(all, name, '@iommu/conformance')), { root, tools: ['vitest'] })
  if (!installed.ok) return installed.text
  writeFileSync(join(project, 'node.test.mjs'), SUITE('node:test', name))
  writeFileSync(join(project, 'vitest.test.mjs'), SUITE('vitest', name))
  const underNode = run(project, process.execPath, ['--test', 'node.test.mjs'])
  if (!underNode.ok) return underNode.text
  return verdict(run(project, process.execPath, [join(root, 'node_modules/vitest/vitest.mjs'), 'run', 'vitest.test.mjs']))
}

/** Bundles every entry for a browser. What is over its budget is shown, and no failure yet. */
const bundleAll = async (project, { name, entries }) => {
  if (onNode.has(name)) return { verdict: 'none', sizes: {} }
  const sizes = {}
  for (const entry of entries) {
    const { size } = await bundle(project, join(name, entry))
    const budget = budgetOf(name, entry)
    sizes[entry] = { size, ...(budget === undefined ? {} : { budget }) }
  }
  return { verdict: true, sizes }
}

const rehearse = async (all, tarballs, each) => {
  talk(`  ${each.name}`)
  const project = join(work, each.name.replace('/', '-'))
  const { size, files } = tarballs.get(each.name)
  const filesOf = (names) => names.map((name) => tarballs.get(name).file)
  const examples = examplesOf(each)
  const needed = withNeeds(all, each.name, ...examples.flatMap(({ imports }) => imports))
  const installed = createProject(project, filesOf(needed), { root, tools: ['@types/node'] })
  const row = { package: each.name, version: each.version, packed: size, files: files.length, installed: verdict(installed) }
  if (!installed.ok) return row
  const bundled = await attempt(() => bundleAll(project, each))
  return {
    ...row,
    example: await attempt(() => runExamples(project, examples)),
    node16: await attempt(() => typeCheck(project, each, examples, 'node16')),
    bundler: await attempt(() => typeCheck(project, each, examples, 'bundler')),
    browser: typeof bundled === 'string' ? bundled : bundled.verdict,
    sizes: bundled.sizes ?? {},
    suite: await attempt(() => runSuite(all, filesOf, each)),
  }
}

/** What a release of core moves, against what it should. */
const rehearseVersions = () => ['patch', 'minor', 'major'].map((kind) => {
  talk(`  a ${kind} of core`)
  const moved = movedBy(root, '@iommu/core', kind)
  const expected = [...expectedToMove(root, '@iommu/core', kind)].sort()
  const names = Object.keys(moved).sort()
  return { kind, moved, held: names.join() === expected.join() || `moves ${names.join(', ')}; expected ${expected.join(', ')}` }
})

const STEPS = ['installed', 'example', 'node16', 'bundler', 'browser', 'suite']
const show = (step) => (step === true ? 'yes' : step === 'none' ? '-' : step === undefined ? '' : 'NO')

const main = async () => {
  const all = publishedPackages(root)
  const chosen = all.filter(({ name }) => values.only === undefined || values.only.some((each) => name === each || name === `@iommu/${each}`))
  const destination = join(work, 'tarballs')
  mkdirSync(destination)
  talk('packing')
  const tarballs = new Map(all.map((each) => [each.name, pack(each, destination)]))
  const rows = []
  for (const each of chosen) rows.push(await rehearse(all, tarballs, each))
  talk('versions')
  const versions = rehearseVersions()
  const failed = [...rows.flatMap((row) => STEPS.flatMap((step) => (typeof row[step] === 'string' && row[step] !== 'none' ? [[row.package, step, row[step]]] : []))),
  ...versions.flatMap(({ kind, held }) => (held === true ? [] : [['@iommu/core', `a ${kind}`, held]]))]
  if (values.json === true) {
    say(JSON.stringify({ schema: 'iommu.rehearsal/1', packages: rows, versions }, null, 2))
  } else {
    say(['package'.padEnd(34), 'packed'.padStart(8), ...STEPS.map((step) => step.padStart(10))].join(' '))
    for (const row of rows) {
      say([row.package.padEnd(34), `${Math.ceil(row.packed / 1024)} kB`.padStart(8), ...STEPS.map((step) => show(row[step]).padStart(10))].join(' '))
    }
    for (const { kind, moved } of versions) say(`\na ${kind} of core moves ${Object.entries(moved).map(([name, how]) => `${name} ${how}`).join(', ')}`)
    say('\ngzipped, minified, with everything that it imports:')
    for (const { package: name, sizes = {} } of rows) {
      for (const [entry, { size, budget }] of Object.entries(sizes)) {
        if (budget !== undefined) say(`${join(name, entry).padEnd(43)} ${(size / 1000).toFixed(1).padStart(5)} of ${budget / 1000} kB${size > budget ? '  over' : ''}`)
      }
    }
    for (const [name, step, text] of failed) say(`\n${name}, ${step}:\n${text}`)
  }
  return failed.length === 0 ? 0 : 1
}

try {
  process.exitCode = await main()
} finally {
  rmSync(work, { recursive: true, force: true })
}
