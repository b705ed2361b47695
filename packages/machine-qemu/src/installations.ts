// Which QEMUs there are: unpacked trees in the cache folder, a folder named by the user, and what is on the PATH.
import { spawnSync } from 'node:child_process'
import { existsSync, readdirSync } from 'node:fs'
import { homedir } from 'node:os'
import { delimiter, join } from 'node:path'

/** The system emulators that boards run on. */
export const EMULATORS = ['qemu-system-x86_64', 'qemu-system-aarch64', 'qemu-system-riscv64'] as const
export type Emulator = (typeof EMULATORS)[number]

/** How an emulator is started. */
export interface Command {
  readonly file: string
  /** Arguments before those of the board. */
  readonly args: readonly string[]
  readonly env: Readonly<Record<string, string>>
}

/** One QEMU. */
export interface Installation {
  /** As QEMU prints it: "11.1.3". */
  readonly version: string
  /** The first two numbers of it: "11.1". */
  readonly series: string
  /** The folder it was found in. */
  readonly where: string
  /** undefined where the installation lacks the emulator. */
  command(emulator: Emulator): Command | undefined
}

/** The series of which everything else is a comparison. */
export const REFERENCE_SERIES = '11.1'
/** Sentence for users who have no QEMU. */
export const HOW_TO_GET = 'npm run qemu:setup unpacks it into a cache folder; no root is needed'

/** Where trees are unpacked: $IOMMU_QEMU_CACHE, or "iommu/qemu" under the user's cache folder. */
export const cacheFolder = (env: NodeJS.ProcessEnv = process.env): string =>
  env['IOMMU_QEMU_CACHE'] ?? join(env['XDG_CACHE_HOME'] ?? join(homedir(), '.cache'), 'iommu', 'qemu')

const LOADERS: Readonly<Record<string, readonly [loader: string, triplet: string]>> = {
  x64: ['ld-linux-x86-64.so.2', 'x86_64-linux-gnu'],
  arm64: ['ld-linux-aarch64.so.1', 'aarch64-linux-gnu'],
}

/** A tree of unpacked packages runs by its own loader and libraries: the host's may be older. */
const treeCommand = (tree: string, emulator: Emulator): Command | undefined => {
  const binary = join(tree, 'usr/bin', emulator)
  const [loader, triplet] = LOADERS[process.arch] ?? []
  if (loader === undefined || triplet === undefined || !existsSync(binary)) return undefined
  const libraries = [join(tree, 'usr/lib', triplet), join(tree, 'lib', triplet)].filter(existsSync)
  const file = libraries.map((folder) => join(folder, loader)).find(existsSync)
  if (file === undefined) return undefined
  const data = ['usr/share/qemu', 'usr/share/seabios'].map((each) => join(tree, each)).filter(existsSync)
  return {
    file,
    args: ['--library-path', libraries.join(':'), binary, ...data.flatMap((each) => ['-L', each])],
    env: { QEMU_MODULE_DIR: join(tree, 'usr/lib', triplet, 'qemu') },
  }
}

const folderCommand = (folder: string, emulator: Emulator): Command | undefined => {
  const file = join(folder, emulator)
  return existsSync(file) ? { file, args: [], env: {} } : undefined
}

const versionOf = ({ file, args, env }: Command): string | undefined => {
  const { stdout } = spawnSync(file, [...args, '--version'], { env: { ...process.env, ...env }, encoding: 'utf8' })
  return /version (\d+\.\d+\.\d+)/.exec(stdout ?? '')?.[1]
}

/** What is in a folder: a tree of unpacked packages, or emulators themselves. */
export const installationIn = (folder: string): Installation | undefined => {
  const command = (emulator: Emulator): Command | undefined => treeCommand(folder, emulator) ?? folderCommand(folder, emulator)
  const first = EMULATORS.map(command).find((each) => each !== undefined)
  const version = first && versionOf(first)
  return version === undefined ? undefined
    : { version, series: version.split('.').slice(0, 2).join('.'), where: folder, command }
}

const foldersOf = (env: NodeJS.ProcessEnv): string[] => {
  const cache = cacheFolder(env)
  // What begins with a dot is still being unpacked.
  const cached = existsSync(cache) ? readdirSync(cache).filter((each) => !each.startsWith('.')).map((each) => join(cache, each)) : []
  const named = env['IOMMU_QEMU']
  const path = (env['PATH'] ?? '').split(delimiter).filter((each) => each !== '')
  return [...(named === undefined ? [] : [named]), ...cached, ...path.filter((each) => EMULATORS.some((name) => existsSync(join(each, name))))]
}

const ascending = (a: string, b: string): number => {
  const [left, right] = [a, b].map((each) => each.split('.').map(Number)) as [number[], number[]]
  const at = left.findIndex((each, index) => each !== right[index])
  return at < 0 ? 0 : (left[at] as number) - (right[at] ?? 0)
}

/** Every QEMU that is here, newest first: in $IOMMU_QEMU, in the cache folder, and on the PATH. */
export const findInstallations = (env: NodeJS.ProcessEnv = process.env): Installation[] => {
  const found = foldersOf(env).flatMap((folder) => installationIn(folder) ?? [])
  return found.sort((a, b) => ascending(b.version, a.version))
}

/** The newest of a series; of the reference series or a later one where none is named. */
export const findInstallation = (series?: string, env: NodeJS.ProcessEnv = process.env): Installation | undefined =>
  findInstallations(env).find((each) => (series === undefined ? ascending(each.version, REFERENCE_SERIES) >= 0 : each.series === series))
