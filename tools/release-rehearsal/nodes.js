// Runs the tests on the other Nodes: fetches each binary, and runs the command as built and the tests by it.
//
//   node nodes.js [filter ...]      filters are vitest's, as packages/bits; without one, everything
import { spawnSync } from 'node:child_process'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { fetchNode, NODE_LINES, nodesHere } from './nodes-here.js'

const root = fileURLToPath(new URL('../..', import.meta.url))
const { positionals } = parseArgs({ allowPositionals: true })

/** Runs a script of ours by a Node; the answer is whether it went well. `silent`: it may say nothing on stderr, where V8 complains of flags. */
const runs = (node, version, args, silent) => {
  process.stdout.write(`Node ${version}: ${args.join(' ').replaceAll(`${root}`, '')}\n`)
  const stdio = ['inherit', 'inherit', silent ? 'pipe' : 'inherit']
  const { status, stderr } = spawnSync(node, args, { cwd: root, stdio, encoding: 'utf8', env: { ...process.env, NODE_OPTIONS: '' } })
  process.stderr.write(stderr ?? '')
  return status === 0 && (stderr ?? '') === ''
}

for (const line of NODE_LINES) fetchNode(line)
const failed = [...nodesHere()].flatMap(([version, node]) => [
  ['command', [join(root, 'packages/cli/dist/iommu.js'), 'conform', 'driver-riscv']],
  ['tests', [join(root, 'node_modules/vitest/vitest.mjs'), 'run', ...positionals]],
].filter(([what, args]) => !runs(node, version, args, what === 'command')).map(([what]) => `${what} on Node ${version}`))
if (nodesHere().size !== NODE_LINES.length) failed.push(`Nodes ${NODE_LINES.join(', ')} were wanted, and ${[...nodesHere().keys()].join(', ') || 'none'} found`)
for (const each of failed) process.stderr.write(`failed: ${each}\n`)
process.exitCode = failed.length === 0 ? 0 : 1
