// Which Chromium there is: one named by the user, one on the PATH, or the tree in the cache folder.
import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { homedir } from 'node:os'
import { delimiter, join } from 'node:path'

/** Sentence for users who have no Chromium. */
export const HOW_TO_GET = 'npm run browser:setup unpacks one into a cache folder; no root is needed'

const NAMES = ['chromium', 'chromium-browser', 'google-chrome', 'google-chrome-stable']

/** Where the tree is unpacked: $IOMMU_BROWSER_CACHE, or "iommu/chromium" under the user's cache folder. */
export const cacheFolder = (env = process.env) =>
  env.IOMMU_BROWSER_CACHE ?? join(env.XDG_CACHE_HOME ?? join(homedir(), '.cache'), 'iommu', 'chromium')

/** What the tree's fonts are found by; written when it is unpacked. */
export const FONTS = 'fonts.conf'

const TRIPLETS = { x64: 'x86_64-linux-gnu', arm64: 'aarch64-linux-gnu' }

/** A tree of unpacked packages runs by its own libraries, but by the host's C library: Chromium starts itself again. */
export const browserIn = (tree) => {
  const file = join(tree, 'usr/lib/chromium/chromium')
  if (!existsSync(file)) return undefined
  const triplet = TRIPLETS[process.arch]
  // PulseAudio's client library finds its other half by a path that is compiled in: here it is named.
  const libraries = [`usr/lib/${triplet}`, `lib/${triplet}`, `usr/lib/${triplet}/pulseaudio`].map((each) => join(tree, each)).filter(existsSync)
  return { file, env: { LD_LIBRARY_PATH: libraries.join(delimiter), FONTCONFIG_FILE: join(tree, FONTS) } }
}

/** Its version, "150.0.7871.100", or the last line of what it says in place of one. */
export const startOf = ({ file, env }) => {
  const { stdout, stderr, error } = spawnSync(file, ['--version', '--no-sandbox'], { env: { ...process.env, ...env }, encoding: 'utf8' })
  const version = /\d+(?:\.\d+){3}/.exec(stdout ?? '')?.[0]
  return version === undefined ? { said: (stderr ?? error?.message ?? '').trim().split('\n').at(-1) } : { version }
}

/**
 * The browser that tests run in: $IOMMU_BROWSER, the one in the cache folder, or one on the PATH.
 * @returns {{ file: string, env: Record<string, string> } | undefined}
 */
export const findBrowser = (env = process.env) => {
  if (env.IOMMU_BROWSER !== undefined) return { file: env.IOMMU_BROWSER, env: {} }
  const cached = browserIn(cacheFolder(env))
  if (cached !== undefined) return cached
  const files = (env.PATH ?? '').split(delimiter).filter((each) => each !== '').flatMap((each) => NAMES.map((name) => join(each, name)))
  const file = files.find(existsSync)
  return file === undefined ? undefined : { file, env: {} }
}
