// Runs Stryker on rooms of drivers, one after the other, and prints the table of docs/mutation.md:
// `npm run mutation`, or `npm run mutation -- intel-vtd/programming riscv`. SAMPLE=0.2: about a fifth of the mutants, see sample.js.
import { spawnSync } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { drivers, rooms } from './rooms.js'

const STRYKER = '9.6.1'
const root = fileURLToPath(new URL('../..', import.meta.url))
const { devDependencies: { vitest } } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8'))
const packages = [`@stryker-mutator/core@${STRYKER}`, `@stryker-mutator/vitest-runner@${STRYKER}`, `vitest@${vitest}`]

const all = drivers.flatMap((driver) => Object.keys(rooms).map((room) => `${driver}/${room}`))
const asked = process.argv.slice(2)
const stranger = asked.find((name) => !all.some((each) => each === name || each.startsWith(`${name}/`)))
if (stranger !== undefined) {
  process.stderr.write(`mutation: no driver and no room is called ${stranger}; there are ${all.join(', ')}\n`)
  process.exit(2)
}
const chosen = asked.length === 0 ? all : all.filter((each) => asked.some((name) => each === name || each.startsWith(`${name}/`)))

for (const each of chosen) {
  const { status } = spawnSync('npx', ['-y', ...packages.flatMap((name) => ['-p', name]), 'stryker', 'run', 'tools/mutation/stryker.config.js'], {
    cwd: root, env: { ...process.env, MUTATE: each }, stdio: 'inherit',
  })
  if (status !== 0) process.exit(1)
}

/** What Stryker has said of a room: mutants by status. Those outside of the sample have been turned down by the checker. */
const counts = (each) => {
  const at = new URL(`../../coverage/mutation/${each.replace('/', '.')}.json`, import.meta.url)
  if (!existsSync(at)) return undefined
  const mutants = Object.values(JSON.parse(readFileSync(at, 'utf8')).files).flatMap((file) => file.mutants)
  const of = (...statuses) => mutants.filter(({ status }) => statuses.includes(status)).length
  return { all: mutants.length - of('Ignored'), killed: of('Killed'), timedOut: of('Timeout'), survived: of('Survived'), untested: of('NoCoverage') }
}

process.stdout.write('\n| driver | room | mutants | run | killed | timed out | survived | no test | score |\n|---|---|---|---|---|---|---|---|---|\n')
for (const each of all) {
  const found = counts(each)
  if (found === undefined) continue
  const { killed, timedOut, survived, untested } = found
  const run = killed + timedOut + survived + untested
  const score = `${((100 * (killed + timedOut)) / run).toFixed(1)} %`
  process.stdout.write(`| ${[...each.split('/'), found.all, run, killed, timedOut, survived, untested, score].join(' | ')} |\n`)
}
