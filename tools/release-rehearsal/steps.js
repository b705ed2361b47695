// What is done with an installed package: types, examples, bundles, a page, the suite. Each answers true, "none" where there
// is nothing to do, "absent" where this machine lacks what it takes, or what went wrong.
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import ts from 'typescript'
import { runInBrowser } from './browser.js'
import { budgetOf, bundle, bundleEntry } from './bundle.js'
import { withNeeds } from './packages.js'
import { createProject, run } from './project.js'

/** Packages that use Node, and are in no page. */
const onNode = new Set(['@iommu/cli', '@iommu/kit', '@iommu/machine-qemu'])

export const verdict = ({ ok, text }) => (ok ? true : text)

const RESOLUTIONS = {
  node16: { module: 'node16', moduleResolution: 'node16' },
  bundler: { module: 'esnext', moduleResolution: 'bundler' },
}

/** Type-checks the README's examples and an import of every entry, with declarations looked into. */
export const typeCheck = async (root, project, { name, entries }, examples, resolution) => {
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
  return verdict(await run(folder, process.execPath, [join(root, 'node_modules/typescript/bin/tsc'), '-p', '.']))
}

/** Runs the README's examples with what they promise. */
export const runExamples = async (project, examples) => {
  if (examples.length === 0) return 'none'
  for (const [index, { program }] of examples.entries()) {
    const file = `example-${index}.mjs`
    const { outputText } = ts.transpileModule(program, {
      compilerOptions: { target: ts.ScriptTarget.ES2022, module: ts.ModuleKind.ESNext },
    })
    writeFileSync(join(project, file), outputText)
    const { ok, text } = await run(project, process.execPath, [file])
    if (!ok) return text
  }
  return true
}

const SUITE = (runner, name) => `import { describe, test } from '${runner}'
import { conformance } from '@iommu/conformance'
import { backends } from '${name}/backends'

conformance({ describe, test }, backends[0])
`

/** A part of the suite that every driver has something to say to, as a program that throws where something fails. */
const SUBJECT = (name) => `import { runSuite } from '@iommu/conformance'
import { backends } from '${name}/backends'

const { results } = runSuite(backends[0], { only: ['DRV', 'BLOCK'] })
const failed = results.filter(({ status }) => status === 'failed')
if (failed.length > 0) throw new Error(failed.map(({ statement, reason }) => statement + ': ' + reason).join('\\n'))
if (!results.some(({ status }) => status === 'passed')) throw new Error('nothing took part')
`

/** A project in which a driver and the suite lie, each from its tarball; undefined where the package is no driver. */
export const createSuiteProject = async ({ all, filesOf, work, root }, { name, entries }) => {
  if (!entries.includes('./backends')) return undefined
  const folder = join(work, `${name.replace('/', '-')}-suite`)
  return { folder, installed: await createProject(folder, filesOf(withNeeds(all, name, '@iommu/conformance')), { root, tools: ['vitest'] }) }
}

/** The whole suite under node:test and under vitest, and a part of it under every other Node that is here. */
export const runSuite = async (root, { folder, installed }, { name }, otherNodes) => {
  if (!installed.ok) return installed.text
  writeFileSync(join(folder, 'node.test.mjs'), SUITE('node:test', name))
  writeFileSync(join(folder, 'vitest.test.mjs'), SUITE('vitest', name))
  writeFileSync(join(folder, 'subject.mjs'), SUBJECT(name))
  const commands = [
    [process.execPath, '--test', 'node.test.mjs'],
    [process.execPath, join(root, 'node_modules/vitest/vitest.mjs'), 'run', 'vitest.test.mjs'],
    ...otherNodes.map((node) => [node, 'subject.mjs']),
  ]
  for (const [program, ...args] of commands) {
    const { ok, text } = await run(folder, program, args)
    if (!ok) return `${program} ${args.join(' ')}: ${text}`
  }
  return true
}

/** Bundles every entry for a browser: how large each is, and its budget where it has one. */
export const bundleAll = async (project, { name, entries }) => {
  if (onNode.has(name)) return {}
  const sizes = {}
  for (const entry of entries) {
    const { size } = await bundleEntry(project, join(name, entry))
    const budget = budgetOf(name, entry)
    sizes[entry] = { size, ...(budget === undefined ? {} : { budget }) }
  }
  return sizes
}

/** Loads every entry in a page; runs the README's examples there that need no Node; and of a driver a part of the suite. */
export const runInPage = async (browser, project, suite, { name, entries }, examples) => {
  if (onNode.has(name) || entries.length === 0) return 'none'
  const imports = entries.map((entry) => `import '${join(name, entry)}'`).join('\n')
  const programs = [
    [project, imports],
    ...examples.filter(({ onNode: node }) => !node).map(({ program }) => [project, program]),
    ...(suite === undefined ? [] : [[suite.folder, SUBJECT(name)]]),
  ]
  const bundles = await Promise.all(programs.map(([folder, program]) => bundle(folder, program)))
  if (browser === undefined) return 'absent'
  for (const { code } of bundles) await runInBrowser(browser, code)
  return true
}
