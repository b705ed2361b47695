// The rehearsal: packs every public package, installs each alone in an empty project (with what its README's example
// imports besides), and uses it there.
//
//   node rehearse.js [--json] [--only NAME ...]     the packages must have been built
//
// Nothing is asked of a registry: what a package needs must be among our own tarballs.
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { availableParallelism, tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { NO_BROWSER, openBrowser } from './browser.js'
import { examplesOf } from './example.js'
import { attwFindings, publintFindings } from './exports.js'
import { nodesHere } from './nodes-here.js'
import { pack, publishedPackages, withNeeds } from './packages.js'
import { createProject } from './project.js'
import { bundleAll, createSuiteProject, runExamples, runInPage, runSuite, typeCheck, verdict } from './steps.js'
import { expectedToMove, movedBy } from './versions.js'

const root = fileURLToPath(new URL('../..', import.meta.url))
const { values } = parseArgs({ options: { json: { type: 'boolean' }, only: { type: 'string', multiple: true } } })
const work = mkdtempSync(join(tmpdir(), 'iommu-rehearsal-'))
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
const clean = (findings) => findings.length === 0 || findings.join('\n')

/** Whether every entry that has a budget keeps it. */
const withinBudget = (sizes) => {
  const limited = Object.entries(sizes).filter(([, { budget }]) => budget !== undefined)
  if (limited.length === 0) return 'none'
  return clean(limited.filter(([, { size, budget }]) => size > budget).map(([entry, { size, budget }]) => `${entry}: ${size} bytes of ${budget}`))
}

const rehearse = async (all, tarballs, browser, each) => {
  talk(`  ${each.name}`)
  const project = join(work, each.name.replace('/', '-'))
  const { file, size, files } = tarballs.get(each.name)
  const filesOf = (names) => names.map((name) => tarballs.get(name).file)
  const examples = examplesOf(each)
  const needed = withNeeds(all, each.name, ...examples.flatMap(({ imports }) => imports))
  const installed = await createProject(project, filesOf(needed), { root, tools: ['@types/node'] })
  const row = { package: each.name, version: each.version, packed: size, files: files.length, installed: verdict(installed) }
  if (!installed.ok) return row
  const sizes = await attempt(() => bundleAll(project, each))
  const suite = await createSuiteProject({ all, filesOf, work, root }, each)
  return {
    ...row,
    publint: await attempt(async () => clean(await publintFindings(file))),
    attw: each.entries.length === 0 ? 'none' : await attempt(async () => clean(await attwFindings(each.entries, file))),
    example: await attempt(() => runExamples(project, examples)),
    node16: await attempt(() => typeCheck(root, project, each, examples, 'node16')),
    bundler: await attempt(() => typeCheck(root, project, each, examples, 'bundler')),
    browser: typeof sizes === 'string' ? sizes : await attempt(() => runInPage(browser, project, suite, each, examples)),
    sizes: typeof sizes === 'string' ? {} : sizes,
    size: typeof sizes === 'string' ? 'none' : withinBudget(sizes),
    suite: suite === undefined ? 'none' : await attempt(() => runSuite(root, suite, each, [...nodesHere().values()])),
  }
}

/** What a release of core moves, against what it should. */
const rehearseVersions = async (kind) => {
  talk(`  a ${kind} of core`)
  const moved = await movedBy(root, '@iommu/core', kind)
  const expected = [...expectedToMove(root, '@iommu/core', kind)].sort()
  const names = Object.keys(moved).sort()
  return { kind, moved, held: names.join() === expected.join() || `moves ${names.join(', ')}; expected ${expected.join(', ')}` }
}

/** Does all, as many at a time as there are cores, and answers in their order. */
const together = async (items, does) => {
  const answers = []
  let next = 0
  const worker = async () => {
    while (next < items.length) {
      const index = next++
      answers[index] = await does(items[index])
    }
  }
  await Promise.all(Array.from({ length: availableParallelism() }, worker))
  return answers
}

const STEPS = ['publint', 'attw', 'installed', 'example', 'node16', 'bundler', 'browser', 'size', 'suite']
const WORDS = { none: '-', absent: '?' }
const show = (step) => (step === true ? 'yes' : step === undefined ? '' : WORDS[step] ?? 'NO')
const failedSteps = (row) => STEPS.filter((step) => typeof row[step] === 'string' && WORDS[row[step]] === undefined)

const print = (rows, versions) => {
  say(['package'.padEnd(32), 'packed'.padStart(7), ...STEPS.map((step) => step.padStart(9))].join(' '))
  for (const row of rows) {
    say([row.package.padEnd(32), `${Math.ceil(row.packed / 1024)} kB`.padStart(7), ...STEPS.map((step) => show(row[step]).padStart(9))].join(' '))
  }
  if (rows.some(({ browser }) => browser === 'absent')) say(`\n? ${NO_BROWSER}`)
  say(`\nThe suite ran on Node ${[process.version.slice(1), ...nodesHere().keys()].join(', ')}.`)
  for (const { kind, moved } of versions) say(`\na ${kind} of core moves ${Object.entries(moved).map(([name, how]) => `${name} ${how}`).join(', ')}`)
  say('\ngzipped, minified, with everything that it imports:')
  for (const { package: name, sizes = {} } of rows) {
    for (const [entry, { size, budget }] of Object.entries(sizes)) {
      if (budget !== undefined) say(`${join(name, entry).padEnd(43)} ${(size / 1000).toFixed(1).padStart(5)} of ${budget / 1000} kB${size > budget ? '  over' : ''}`)
    }
  }
}

/** Every chosen package; what takes longest begins first. */
const rehearseAll = async (all, chosen, tarballs) => {
  const browser = await openBrowser()
  if (browser === undefined && process.env.IOMMU_REQUIRE_BROWSER === '1') throw new Error(NO_BROWSER)
  const order = ({ entries }) => (entries.includes('./backends') ? 0 : 1)
  try {
    return await together(chosen.toSorted((a, b) => order(a) - order(b)), (each) => rehearse(all, tarballs, browser, each))
  } finally {
    await browser?.close()
  }
}

const main = async () => {
  const all = publishedPackages(root)
  const chosen = all.filter(({ name }) => values.only === undefined || values.only.some((each) => name === each || name === `@iommu/${each}`))
  const destination = join(work, 'tarballs')
  mkdirSync(destination)
  talk('packing')
  const tarballs = new Map(all.map((each) => [each.name, pack(each, destination)]))
  const rows = await rehearseAll(all, chosen, tarballs)
  talk('versions')
  const versions = await together(['patch', 'minor', 'major'], rehearseVersions)
  const failed = [
    ...rows.flatMap((row) => failedSteps(row).map((step) => [row.package, step, row[step]])),
    ...versions.flatMap(({ kind, held }) => (held === true ? [] : [['@iommu/core', `a ${kind}`, held]])),
  ]
  if (values.json === true) say(JSON.stringify({ schema: 'iommu.rehearsal/2', packages: rows, versions }, null, 2))
  else print(rows, versions)
  for (const [name, step, text] of failed) talk(`\n${name}, ${step}:\n${text}`)
  return failed.length === 0 ? 0 : 1
}

try {
  process.exitCode = await main()
} finally {
  rmSync(work, { recursive: true, force: true })
}
