// QEMU without root: unpacks it from Debian packages into a cache folder, checks that it starts, and says what is there.
//
//   node qemu-setup.js [--version 11.1] [--all] [--mirror URL] [--force]     machine-qemu must have been built
//
// The mirror is the one that this machine's apt uses for Debian; elsewhere it is named by --mirror.
import { existsSync, mkdirSync, mkdtempSync, renameSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { cacheFolder, EMULATORS, factsOf, findInstallation, findInstallations, installationIn, REFERENCE_SERIES } from '@iommu/machine-qemu'
import { download, Missing, ownMirror, unpack } from './apt.js'
import { lacking, packagesOf, seriesList } from './series.js'

const say = (line) => process.stdout.write(`${line}\n`)
const complain = (line) => process.stderr.write(`${line}\n`)

const USAGE = 2
/** Exit code for what is missing on the machine and no fault of the project. */
const MISSING = 3

const BY_HAND = `Without apt and dpkg, install QEMU ${REFERENCE_SERIES} or later by other means
(${EMULATORS.join(', ')}):
it is found on the PATH, or in the folder that IOMMU_QEMU names.`

/** A line for people: what an installation is, and whether it has the accelerator that makes it quick. */
const describe = (installation) => {
  const has = EMULATORS.filter((each) => installation.command(each) !== undefined)
  const quick = has.length > 0 && factsOf(installation, has[0]).qtestAccelerator
  return `  QEMU ${installation.version.padEnd(7)} ${has.map((each) => each.replace('qemu-system-', '')).join(', ').padEnd(24)} ${quick ? 'accelerator qtest' : 'accelerator tcg  '}  ${installation.where}`
}

const install = (wanted, mirror) => {
  const { series, suites, target } = wanted
  const cache = cacheFolder()
  const folder = mkdtempSync(join(tmpdir(), 'qemu-setup-'))
  mkdirSync(cache, { recursive: true })
  // Beside the place where it belongs, so that it appears there whole or not at all.
  const fresh = mkdtempSync(join(cache, '.new-'))
  const before = `${fresh}.before`
  try {
    say(`QEMU ${series}: packages of ${target} from ${mirror}`)
    const files = download({ folder, mirror, suites, target, packages: packagesOf(wanted) })
    unpack(files, fresh)
    const found = installationIn(fresh)
    if (found === undefined) throw new Missing(`${files.length} packages are unpacked, but QEMU does not start from them`)
    if (series !== REFERENCE_SERIES && found.series !== series) throw new Missing(`${target} has QEMU ${found.version} now, and not ${series}`)
    const absent = lacking(wanted, found)
    if (absent.length > 0) throw new Missing(`${files.length} packages are unpacked, but ${absent.join(' and ')} is not among them`)
    const place = join(cache, found.series)
    // What was there gives way at once, and is removed afterwards: somebody may be starting it now.
    if (existsSync(place)) renameSync(place, before)
    renameSync(fresh, place)
    say(`QEMU ${found.version}: ${files.length} packages unpacked`)
  } finally {
    rmSync(folder, { recursive: true, force: true })
    for (const each of [fresh, before]) rmSync(each, { recursive: true, force: true })
  }
}

const main = () => {
  const { values } = parseArgs({ options: {
    version: { type: 'string' }, all: { type: 'boolean' }, mirror: { type: 'string' }, force: { type: 'boolean' },
  } })
  const chosen = seriesList.filter(({ series }) => values.all === true || series === (values.version ?? REFERENCE_SERIES))
  if (chosen.length === 0) {
    complain(`there is no recipe for QEMU ${values.version}; there is one for ${seriesList.map(({ series }) => series).join(', ')}`)
    return USAGE
  }
  for (const each of chosen) {
    const here = findInstallation(each.series === REFERENCE_SERIES ? undefined : each.series)
    const absent = lacking(each, here)
    if (absent.length === 0 && values.force !== true) continue
    if (here !== undefined && absent.length > 0) say(`QEMU ${here.version} in ${here.where} has no ${absent.join(' and no ')}: it is unpacked anew`)
    const mirror = values.mirror ?? ownMirror()
    if (mirror === undefined) throw new Missing('this machine\'s apt has no Debian mirror: name one by --mirror URL')
    install(each, mirror)
  }
  say(`What there is, newest first (${cacheFolder()} is the cache):`)
  for (const each of findInstallations()) say(describe(each))
  return 0
}

try {
  process.exitCode = main()
} catch (error) {
  if (!(error instanceof Missing)) throw error
  complain(`qemu:setup: ${error.message}\n${BY_HAND}`)
  process.exitCode = MISSING
}
