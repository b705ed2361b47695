// The matrix: agreement and conformance on every series of QEMU, by hand or on a schedule.
//
//   node matrix.js [--count N] [--seed S]     the packages must have been built
import { spawnSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { findInstallation } from '@iommu/machine-qemu'
import { seriesList } from './series.js'

const MISSING = 3
const say = (line) => process.stdout.write(`${line}\n`)
const complain = (line) => process.stderr.write(`${line}\n`)
const command = fileURLToPath(new URL('../../packages/cli/dist/iommu.js', import.meta.url))

const { values } = parseArgs({ options: { count: { type: 'string', default: '2000' }, seed: { type: 'string', default: '1' } } })

const missing = seriesList.filter(({ series }) => findInstallation(series) === undefined).map(({ series }) => series)
if (missing.length > 0) {
  complain(`qemu:matrix: there is no QEMU ${missing.join(', ')} here: npm run qemu:setup -- --all unpacks them`)
  process.exitCode = MISSING
} else {
  const runs = seriesList.flatMap(({ series }) => [
    ['agree', '--qemu', series, '--count', values.count, '--seed', values.seed],
    ['conform', '--machine', 'qemu', '--qemu', series],
  ])
  const results = runs.map((args) => {
    say(`── iommu ${args.join(' ')}`)
    return { args, status: spawnSync(process.execPath, [command, ...args], { stdio: 'inherit' }).status ?? 1 }
  })
  for (const { args, status } of results) say(`${status === 0 ? '✓' : '✗'} iommu ${args.join(' ')}`)
  process.exitCode = Math.max(...results.map(({ status }) => status))
}
