// The bench: every operation on our side and in C, in turn, round by round. It measures and judges nothing.
//
//   node bench.js [--json] [--rounds N]     the packages must have been built
//
// Ratios are taken within a round, so that what else the machine does meets both sides; what is shown is the median
// over the rounds with the least and the most.
import { execFileSync, spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { cpus, tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { createOperations, otherFormats, peerFormat, warm } from './operations.js'

/** Exit code for what is missing on the machine and no fault of the project. */
const MISSING = 3
/** Repetitions of which the best counts: in each round, and before the first. */
const REPEATS = 5
const WARM_UP = 60

const flat = { flat: true }
const chunks = { flat: false }

/** What every format is measured at. Their tables are not the peer's, so their checksums are their own. */
const each = [
  { what: 'map one', ours: 'map one' },
  { what: 'unmap one', ours: 'unmap one' },
  { what: 'map 511', ours: 'map run' },
  { what: 'unmap 511', ours: 'unmap run' },
  { what: 'map 1 GiB, new tables', ours: 'map fresh' },
  { what: 'walk', ours: 'walk' },
]

/** What is measured: our operation on a kind of memory, the peer's operation, and the goal where there is one. */
const rows = [
  { name: 'map one page', ours: 'map one', kind: flat, goal: 3.2 },
  { name: 'unmap one page', ours: 'unmap one', kind: flat },
  { name: 'map 511 pages, per page', ours: 'map run', kind: flat, goal: 2.4 },
  { name: 'unmap 511 pages, per page', ours: 'unmap run', kind: flat },
  { name: 'map 1 GiB into new tables, per page', ours: 'map fresh', kind: flat },
  { name: 'walk, random', ours: 'walk', kind: flat, goal: 3 },
  { name: 'iovaToPhys', ours: 'iova to phys', kind: flat },
  { name: 'context and walk', ours: 'translate', kind: flat },
  { name: 'IOTLB hit', ours: 'lookup', kind: flat, goal: 3 },
  { name: 'map one page, memory in chunks', ours: 'map one', kind: chunks },
  { name: 'map 511 pages, memory in chunks', ours: 'map run', kind: chunks },
  { name: 'walk, memory in chunks', ours: 'walk', kind: chunks },
  { name: 'map 511 pages, observed', ours: 'map run, observed', peer: 'map run', kind: flat },
  { name: 'the VT-d model: context and walk', ours: 'model', peer: 'translate', kind: flat, other: true },
  { name: 'walk, no other format in the process', ours: 'alone', peer: 'walk', kind: flat, other: true },
  ...otherFormats.flatMap((format) => each.map(({ what, ours }) => ({ name: `${format.name}: ${what}`, ours, kind: flat, format, other: true }))),
]

/** The walk in a process of its own, which has seen no other format. */
const alone = () => {
  const code = `import(${JSON.stringify(new URL('operations.js', import.meta.url).href)}).then(({ createOperations }) => {
    const { walk } = createOperations({ flat: true })
    process.stdout.write(String(Math.min(...Array.from({ length: ${WARM_UP} }, () => walk().ns))))
  })`
  return { ns: Number(execFileSync(process.execPath, ['--input-type=module', '-e', code])), checksum: 0 }
}

const { values: { json, rounds } } = parseArgs({
  options: { json: { type: 'boolean', default: false }, rounds: { type: 'string', default: '11' } },
})

const compiler = process.env.CC ?? 'cc'
if (spawnSync(compiler, ['--version']).error !== undefined) {
  process.stderr.write(`bench: there is no C compiler "${compiler}" here, and the bench compares with C; set CC to one\n`)
  process.exit(MISSING)
}

/** @param {number[]} numbers */
const spread = (numbers) => {
  const sorted = [...numbers].sort((one, other) => one - other)
  return { median: sorted[sorted.length >> 1], least: sorted[0], most: sorted[sorted.length - 1] }
}

/** The best of some repetitions. */
const best = (run, repeats) => {
  let least = run()
  for (let repeat = 1; repeat < repeats; repeat++) {
    const next = run()
    if (next.ns < least.ns) least = next
  }
  return least
}

const measureAll = (peer) => {
  warm()
  const measured = rows.map((row) => ({
    ...row,
    run: row.ours === 'alone' ? alone : createOperations(row.kind, row.format ?? peerFormat)[row.ours],
    repeats: row.ours === 'alone' ? 1 : REPEATS,
    theirs: row.peer ?? row.ours, ns: [], peerNs: [], ratios: [],
  }))
  for (const { run, ours } of measured) if (ours !== 'alone') best(run, WARM_UP)
  for (let round = 0; round < Number(rounds); round++) {
    for (const row of measured) {
      const [ns, checksum] = execFileSync(peer, [row.theirs]).toString().trim().split(' ').map(Number)
      const ours = best(row.run, row.repeats)
      if (row.other !== true && ours.checksum !== checksum) {
        throw new Error(`${row.name}: the peer's tables have checksum ${checksum}, ours ${ours.checksum}`)
      }
      row.ns.push(ours.ns)
      row.peerNs.push(ns)
      row.ratios.push(ours.ns / ns)
    }
  }
  return measured.map(({ name, goal, ns, peerNs, ratios }) => ({
    name, ns: spread(ns).median, peerNs: spread(peerNs).median, ratio: spread(ratios), goal: goal ?? null,
  }))
}

const folder = mkdtempSync(join(tmpdir(), 'iommu-bench-'))
try {
  const peer = join(folder, 'peer')
  execFileSync(compiler, ['-O2', '-o', peer, fileURLToPath(new URL('peer.c', import.meta.url))], { stdio: 'inherit' })
  const results = measureAll(peer)
  const machine = { node: process.version, v8: process.versions.v8, cpu: cpus()[0]?.model ?? 'unknown', compiler, rounds: Number(rounds) }
  if (json) {
    process.stdout.write(`${JSON.stringify({ machine, results }, undefined, 2)}\n`)
  } else {
    const line = (...cells) => `${cells[0].padEnd(40)}${cells.slice(1).map((cell) => cell.padStart(10)).join('')}\n`
    process.stdout.write(`Node ${machine.node}, ${machine.cpu}, ${compiler} -O2, ${rounds} rounds. Times in ns, medians.\n\n`)
    process.stdout.write(line('', 'ours', 'C', 'ratio', 'least', 'most', 'goal'))
    for (const { name, ns, peerNs, ratio, goal } of results) {
      const ratios = [ratio.median, ratio.least, ratio.most].map((each) => `${each.toFixed(1)}x`)
      process.stdout.write(line(name, ns.toFixed(2), peerNs.toFixed(2), ...ratios, goal === null ? '' : `<= ${goal}x`))
    }
  }
} finally {
  rmSync(folder, { recursive: true, force: true })
}
