// The other Nodes that tests run on: each release line's binary, from the npm registry, in a cache folder.
import { execFileSync } from 'node:child_process'
import { existsSync, mkdirSync, writeFileSync } from 'node:fs'
import { homedir } from 'node:os'
import { join } from 'node:path'

/** Release lines beside the one that the repository is developed on, oldest first. */
export const NODE_LINES = ['22', '24']

const PLATFORMS = { linux: 'linux', darwin: 'darwin', win32: 'win' }

/** Where the binaries are kept: $IOMMU_NODE_CACHE, or "iommu/node" under the user's cache folder. */
const cacheFolder = ({ IOMMU_NODE_CACHE, XDG_CACHE_HOME } = process.env) =>
  IOMMU_NODE_CACHE ?? join(XDG_CACHE_HOME ?? join(homedir(), '.cache'), 'iommu', 'node')

const packageName = () => `node-${PLATFORMS[process.platform] ?? process.platform}-${process.arch}`
const binaryOf = (line) =>
  join(cacheFolder(), line, 'node_modules', packageName(), 'bin', process.platform === 'win32' ? 'node.exe' : 'node')

const versionOf = (binary) => execFileSync(binary, ['--version'], { encoding: 'utf8' }).trim().slice(1)

/** The Nodes that are in the cache: version -> binary. Nothing is fetched. */
export const nodesHere = () => new Map(NODE_LINES.map(binaryOf).filter((binary) => existsSync(binary)).map((binary) => [versionOf(binary), binary]))

/** Fetches the newest Node of a release line, without running any script of a package. Throws what npm says where it cannot. */
export const fetchNode = (line) => {
  const folder = join(cacheFolder(), line)
  mkdirSync(folder, { recursive: true })
  writeFileSync(join(folder, 'package.json'), '{"private":true}')
  execFileSync('npm', ['install', '--no-audit', '--no-fund', '--ignore-scripts', `${packageName()}@${line}`], { cwd: folder, stdio: ['ignore', 'ignore', 'inherit'] })
  return binaryOf(line)
}
