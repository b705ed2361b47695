// The bench: every operation on our side and in C, in turn, round by round. It measures, and judges only with --guard.
//
//   node bench.js [--json] [--rounds N] [--only TEXT ...]     the packages must have been built
//   node bench.js --page          writes what it measures into the tables of docs/performance.md
//   node bench.js --guard         the few stable rows alone, against the ratios in baseline.json; 1 where one is slower
//   node bench.js --baseline      takes that baseline anew, on a machine that does nothing else
//
// Ratios are taken within a round, so that what else the machine does meets both sides; what is shown is the median
// over the rounds with the least and the most. Every format and driver is warm, and nobody observes, unless it says so.
import { execFileSync, spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { cpus, tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { cacheRows } from './caches.js'
import { deviceRows } from './devices.js'
import { warm } from './formats.js'
import { baselineOf, guard } from './guard.js'
import { measure, spread } from './measure.js'
import { memoryFacts } from './memory.js'
import { rewritten, sections } from './page.js'
import { tableRows } from './tables.js'
import { explainRun, wordRows } from './words.js'

/** Exit code for what is missing on the machine and no fault of the project. */
const MISSING = 3

const BASELINE = new URL('baseline.json', import.meta.url)
const PAGE = new URL('../../docs/performance.md', import.meta.url)

const { values: { json, only, rounds, page, guard: guarding, baseline: taking } } = parseArgs({
  options: {
    json: { type: 'boolean', default: false },
    only: { type: 'string', multiple: true, default: [] },
    rounds: { type: 'string', default: '7' },
    page: { type: 'boolean', default: false },
    guard: { type: 'boolean', default: false },
    baseline: { type: 'boolean', default: false },
  },
})

if (page && only.length > 0) {
  process.stderr.write('bench: --page writes whole tables, so it measures everything: leave out --only\n')
  process.exit(2)
}

const compiler = process.env.CC ?? 'cc'
if (spawnSync(compiler, ['--version']).error !== undefined) {
  process.stderr.write(`bench: there is no C compiler "${compiler}" here, and the bench compares with C; set CC to one\n`)
  process.exit(MISSING)
}

/** Lines of a log, which are read asynchronously and so are measured by themselves. */
const explained = async () => {
  const ns = []
  for (let round = 0; round < Number(rounds) + 3; round++) ns.push(await explainRun())
  return { subject: 'words', name: 'explain a line of a log', ns: spread(ns.slice(3)).median, peerNs: null, ratio: null, goal: null, guard: false }
}

const perSecond = (ns) => (1e9 / ns).toLocaleString('en', { maximumFractionDigits: 0 })

const print = (machine, results, facts) => {
  const line = (...cells) => `${cells[0].padEnd(44)}${cells.slice(1).map((cell) => cell.padStart(13)).join('')}`.trimEnd()
  const lines = [`Node ${machine.node}, ${machine.cpu}, ${compiler} -O2, ${rounds} rounds. Times in ns, medians.`]
  for (const subject of new Set(results.map((each) => each.subject))) {
    lines.push('', line(subject, 'ours', 'C', 'ratio', 'least', 'most', 'goal', 'per second'))
    for (const { name, ns, peerNs, ratio, goal } of results.filter((each) => each.subject === subject)) {
      const ratios = ratio === null ? ['', '', ''] : [ratio.median, ratio.least, ratio.most].map((each) => `${each.toFixed(1)}x`)
      lines.push(line(`  ${name}`, ns.toFixed(2), peerNs === null ? '' : peerNs.toFixed(2), ...ratios, goal === null ? '' : `<= ${goal}x`, perSecond(ns)))
    }
  }
  for (const { says } of facts) lines.push('', says)
  process.stdout.write(`${lines.join('\n')}\n`)
}

const folder = mkdtempSync(join(tmpdir(), 'iommu-bench-'))
try {
  const peer = join(folder, 'peer')
  execFileSync(compiler, ['-O2', '-o', peer, fileURLToPath(new URL('peer.c', import.meta.url))], { stdio: 'inherit' })
  warm()
  const measured = (rows) => measure(rows, Number(rounds), (operation) => {
    const [ns, checksum] = execFileSync(peer, [operation]).toString().trim().split(' ').map(Number)
    return { ns, checksum }
  })
  const machine = { node: process.version, v8: process.versions.v8, cpu: cpus()[0]?.model ?? 'unknown', compiler, rounds: Number(rounds) }
  if (guarding || taking) {
    const rows = [...tableRows(), ...cacheRows()].filter((row) => row.guard === true)
    if (taking) writeFileSync(BASELINE, `${JSON.stringify(baselineOf(measured(rows)), undefined, 2)}\n`)
    const { lines, failed } = guard(rows, measured, JSON.parse(readFileSync(BASELINE, 'utf8')))
    process.stdout.write(json ? `${JSON.stringify({ machine, lines, failed }, undefined, 2)}\n` : `${lines.join('\n')}\n`)
    if (failed) process.exitCode = 1
  } else {
    const wanted = ({ subject, name }) => only.length === 0 || only.some((each) => `${subject}: ${name}`.includes(each))
    const results = measured([...tableRows(), ...cacheRows(), ...await deviceRows(), ...wordRows()].filter(wanted))
    const whole = only.length === 0
    const all = whole ? [...results, await explained()] : results
    const facts = whole ? memoryFacts() : []
    if (json) process.stdout.write(`${JSON.stringify({ machine, results: all, facts }, undefined, 2)}\n`)
    else print(machine, all, facts)
    if (page) writeFileSync(PAGE, rewritten(readFileSync(PAGE, 'utf8'), sections(machine, all, facts)))
  }
} finally {
  rmSync(folder, { recursive: true, force: true })
}
