// The matrix: agreement and conformance on every series of QEMU, by hand or on a schedule. Its tables are those of docs/qemu.md.
//
//   node matrix.js [--count N] [--seed S] [--series S ...]     the packages must have been built
import { spawnSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { findInstallation } from '@iommu/machine-qemu'
import { seriesList } from './series.js'

const USAGE = 2
const MISSING = 3
const say = (line) => process.stdout.write(`${line}\n`)
const complain = (line) => process.stderr.write(`${line}\n`)
const command = fileURLToPath(new URL('../../packages/cli/dist/iommu.js', import.meta.url))

const { values } = parseArgs({ options: {
  count: { type: 'string', default: '2000' }, seed: { type: 'string', default: '1' }, series: { type: 'string', multiple: true },
} })

/** What a verb answers, and its exit code. Its talk is shown. */
const run = (args) => {
  complain(`iommu ${args.join(' ')}`)
  const { status, stdout } = spawnSync(process.execPath, [command, ...args, '--json'], { stdio: ['ignore', 'pipe', 'inherit'], maxBuffer: 2 ** 30 })
  return { args, status: status ?? 1, answer: JSON.parse(stdout.toString() || '{}') }
}

const count = (value) => value.toLocaleString('en-US')
const row = (...cells) => `| ${cells.join(' | ')} |`
const table = (head, rows) => ['', row(...head), row(...head.map(() => '---')), ...rows, ''].join('\n')

const agreementRows = ({ series, answer: { targets = [], unavailable = [] } }) => [
  ...targets.map(({ qemu, target, probes, leaf, agreed, deviations, disagreements }) =>
    row(qemu, target, count(probes), `${Math.round((100 * leaf) / probes)} %`, count(agreed), count(deviations), disagreements)),
  ...unavailable.map(({ target, unavailable: why }) => row(series, target, why, '', '', '', '')),
]

/** What a statement comes to. */
const STATUSES = ['passed', 'failed', 'unavailable', 'not-declared']

const suiteRows = ({ series, answer: { results = [] } }) => {
  const backends = new Map()
  for (const { driver, backend, status } of results) {
    const name = `${driver}, ${backend}`
    const each = backends.get(name) ?? {}
    backends.set(name, { ...each, [status]: (each[status] ?? 0) + 1 })
  }
  return [...backends].map(([name, each]) => row(series, name, ...STATUSES.map((status) => each[status] ?? 0)))
}

const known = seriesList.map(({ series }) => series)
const chosen = values.series ?? known
const unknown = chosen.filter((series) => !known.includes(series))
const missing = chosen.filter((series) => findInstallation(series) === undefined)
if (unknown.length > 0) {
  complain(`qemu:matrix: there is no series ${unknown.join(', ')}; there are ${known.join(', ')}`)
  process.exitCode = USAGE
} else if (missing.length > 0) {
  complain(`qemu:matrix: there is no QEMU ${missing.join(', ')} here: npm run qemu:setup -- --all unpacks them`)
  process.exitCode = MISSING
} else {
  const agreements = chosen.map((series) => ({ series, ...run(['agree', '--qemu', series, '--count', values.count, '--seed', values.seed]) }))
  const suites = chosen.map((series) => ({ series, ...run(['conform', '--machine', 'qemu', '--qemu', series]) }))
  say(table(['QEMU', 'board', 'probes', 'to the leaf', 'agreed', 'by listed deviations', 'disagreements'], agreements.flatMap(agreementRows)))
  say(table(['QEMU', 'suite', ...STATUSES], suites.flatMap(suiteRows)))
  const all = [...agreements, ...suites]
  for (const { args, status } of all) say(`${status === 0 ? '✓' : '✗'} iommu ${args.join(' ')}`)
  process.exitCode = Math.max(...all.map(({ status }) => status))
}
