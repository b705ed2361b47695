// Chromium without root: unpacks it from Debian packages into a cache folder, and checks that it starts.
//
//   node browser-setup.js [--mirror URL] [--force]
//
// Nothing is unpacked where there is a Chromium already. The mirror is the one that this machine's apt uses for Debian;
// elsewhere it is named by --mirror. The suite is an old one on purpose: its Chromium starts with the C library of any later system.
import { mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, dirname, join } from 'node:path'
import { parseArgs } from 'node:util'
import { download, Missing, ownMirror, unpack } from '../qemu-setup/apt.js'
import { browserIn, cacheFolder, findBrowser, FONTS, startOf } from './browsers.js'

const SUITE = 'bookworm'
/** Fonts come along: a bare machine has none, and a page without letters tests nothing. */
const PACKAGES = ['chromium', 'fonts-inter', 'fonts-jetbrains-mono', 'fonts-dejavu-core']
/** The host's own must be used: its loader starts everything. */
const HOSTS = /^(?:libc6|libc-bin)_/
/** Exit code for what is missing on the machine and no fault of the project. */
const MISSING = 3

const BY_HAND = `Without apt and dpkg, install Chromium by other means: it is found on the PATH as chromium or google-chrome,
or by the file that IOMMU_BROWSER names.`

const say = (line) => process.stdout.write(`${line}\n`)

const fontsOf = (tree) => `<?xml version="1.0"?>
<!DOCTYPE fontconfig SYSTEM "fonts.dtd">
<fontconfig>
  <dir>${join(tree, 'usr/share/fonts')}</dir>
  <cachedir>${join(tree, 'font-cache')}</cachedir>
  ${[['sans-serif', 'Inter'], ['system-ui', 'Inter'], ['monospace', 'JetBrains Mono']].map(([name, font]) =>
    `<alias><family>${name}</family><prefer><family>${font}</family><family>DejaVu Sans</family></prefer></alias>`).join('\n  ')}
</fontconfig>
`

const install = (mirror) => {
  const place = cacheFolder()
  const folder = mkdtempSync(join(tmpdir(), 'browser-setup-'))
  mkdirSync(dirname(place), { recursive: true })
  // Beside the place where it belongs, so that it appears there whole or not at all.
  const fresh = mkdtempSync(join(dirname(place), '.new-'))
  try {
    say(`Chromium: packages of ${SUITE} from ${mirror}`)
    const files = download({ folder, mirror, suites: [SUITE], target: SUITE, packages: PACKAGES })
    unpack(files.filter((file) => !HOSTS.test(basename(file))), fresh)
    writeFileSync(join(fresh, FONTS), fontsOf(place))
    const browser = browserIn(fresh)
    if (browser === undefined) throw new Missing(`${files.length} packages are unpacked, and there is no Chromium among them`)
    const { version, said } = startOf(browser)
    if (version === undefined) throw new Missing(`${files.length} packages are unpacked, but Chromium does not start from them: ${said}`)
    rmSync(place, { recursive: true, force: true })
    renameSync(fresh, place)
    say(`${files.length} packages unpacked`)
  } finally {
    rmSync(folder, { recursive: true, force: true })
    rmSync(fresh, { recursive: true, force: true })
  }
}

const main = () => {
  const { values } = parseArgs({ options: { mirror: { type: 'string' }, force: { type: 'boolean' } } })
  if (findBrowser() === undefined || values.force === true) {
    const mirror = values.mirror ?? ownMirror()
    if (mirror === undefined) throw new Missing('this machine\'s apt has no Debian mirror: name one by --mirror URL')
    install(mirror)
  }
  const found = findBrowser()
  const { version, said } = startOf(found)
  if (version === undefined) throw new Missing(`${found.file} does not start: ${said}; --force unpacks another one`)
  say(`Chromium ${version}  ${found.file}`)
}

try {
  main()
} catch (error) {
  if (!(error instanceof Missing)) throw error
  process.stderr.write(`browser:setup: ${error.message}\n${BY_HAND}\n`)
  process.exitCode = MISSING
}
