// apt with a state of its own: it downloads packages, and neither sees nor changes what is installed.
import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

const KEYRING = '/usr/share/keyrings/debian-archive-keyring.gpg'

/** Something that the machine lacks. The message says what to do about it. */
export class Missing extends Error {}

const run = (file, args, options = {}) => {
  const { status, error, stdout, stderr } = spawnSync(file, args, { encoding: 'utf8', maxBuffer: 1 << 26, ...options })
  if (error?.code === 'ENOENT') throw new Missing(`there is no ${file} here`)
  if (status !== 0) throw new Missing(`${file} ${args.at(-1)}: ${(stderr ?? '').trim().split('\n').at(-1)}`)
  return stdout
}

/** Where this machine's own apt gets Debian's packages; undefined where it gets none. */
export const ownMirror = () => {
  const lines = run('apt-get', ['indextargets', '--format', '$(REPO_URI) $(ORIGIN) $(RELEASE)']).trim().split('\n')
  return lines.map((line) => line.split(' ')).find(([, origin, release]) => origin === 'Debian' && !release.includes('security'))?.[0]
}

/** Downloads packages of a suite with everything that they need. The files, in no order. */
export const download = ({ folder, mirror, suites, target, packages }) => {
  const at = (...parts) => join(folder, ...parts)
  for (const each of ['state/lists/partial', 'cache/archives/partial', 'etc']) mkdirSync(at(each), { recursive: true })
  // An empty status file: nothing counts as installed, so the C library comes along too.
  writeFileSync(at('status'), '')
  const signed = existsSync(KEYRING) ? `[signed-by=${KEYRING}] ` : ''
  writeFileSync(at('etc', 'sources.list'), suites.map((suite) => `deb ${signed}${mirror} ${suite} main\n`).join(''))
  const options = [
    `Dir::State=${at('state')}`, `Dir::State::status=${at('status')}`, `Dir::Cache=${at('cache')}`,
    `Dir::Etc::sourcelist=${at('etc', 'sources.list')}`, 'Dir::Etc::sourceparts=/dev/null', 'Dir::Etc::preferencesparts=/dev/null',
    'APT::Sandbox::User=', 'Acquire::Languages=none',
  ].flatMap((each) => ['-o', each])
  run('apt-get', [...options, '-q', 'update'])
  run('apt-get', [...options, '-q', '-y', '--download-only', '--no-install-recommends', '-t', target, 'install', ...packages])
  const archives = at('cache', 'archives')
  return readdirSync(archives).filter((each) => each.endsWith('.deb')).map((each) => join(archives, each))
}

/** Unpacks packages into a tree. No script of theirs runs. */
export const unpack = (files, tree) => {
  mkdirSync(tree, { recursive: true })
  for (const file of files) run('dpkg', ['-x', file, tree])
}
