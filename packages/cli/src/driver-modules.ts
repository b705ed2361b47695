// Where drivers come from: those installed with the command by name, others by path or package.
import { existsSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join, resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import type { Backend, DriverVariant } from '@iommu/conformance'
import { InputError, nearest } from '@iommu/inspect'
import { UsageError } from './io.js'

/** What a driver brings to the suite. */
export interface DriverModule {
  readonly backends: readonly Backend[]
  readonly variants: readonly DriverVariant[]
}

const installed = {
  'driver-intel-vtd': {
    backends: () => import('@iommu/driver-intel-vtd/backends'),
    variants: () => import('@iommu/driver-intel-vtd/variants'),
  },
  'driver-amd-vi': {
    backends: () => import('@iommu/driver-amd-vi/backends'),
    variants: () => import('@iommu/driver-amd-vi/variants'),
  },
  'driver-arm-smmuv3': {
    backends: () => import('@iommu/driver-arm-smmuv3/backends'),
    variants: () => import('@iommu/driver-arm-smmuv3/variants'),
  },
  'driver-riscv': {
    backends: () => import('@iommu/driver-riscv/backends'),
    variants: () => import('@iommu/driver-riscv/variants'),
  },
  'driver-legacy-nodefault': {
    backends: () => import('@iommu/driver-legacy-nodefault/backends'),
    variants: () => import('@iommu/driver-legacy-nodefault/variants'),
  },
} as const satisfies Readonly<Record<string, {
  backends(): Promise<{ readonly backends: readonly Backend[] }>
  variants(): Promise<{ readonly variants: readonly DriverVariant[] }>
}>>

/** Names of the drivers that come with the command. */
export const driverNames: readonly string[] = Object.keys(installed)

const isInstalled = (name: string): name is keyof typeof installed => Object.hasOwn(installed, name)

/** What no backend can be without. */
const PARTS = {
  name: 'string', backend: 'string', createMachine: 'function', createDriver: 'function', physicalBits: 'number', deviceBits: 'number',
} as const satisfies Partial<Record<keyof Backend, string>>

/** The first part that is missing, or is something else: "physicalBits (a number)". */
const lacking = (value: unknown): string | undefined => {
  const members = value as Readonly<Record<string, unknown>> | null | undefined
  return Object.entries(PARTS).flatMap(([part, type]) => (typeof members?.[part] === type ? [] : [`${part} (a ${type})`]))[0]
}

const isBackend = (value: unknown): value is Backend => lacking(value) === undefined

/** What stands where a list of backends should. */
const whatIs = (value: unknown): string => {
  if (!Array.isArray(value)) return value === undefined ? 'nothing' : typeof value
  const wrong = value.findIndex((each) => !isBackend(each))
  return wrong < 0 ? 'an empty list' : `one whose element ${wrong} has no ${lacking(value[wrong]) as string}`
}

const described = (error: unknown): string => (error instanceof Error ? `${error.name}: ${error.message}` : String(error))

/** Of a driver that is not ours all is looked at that the suite takes for granted. Throws InputError. */
const checkBackend = async (file: string, backend: Backend): Promise<void> => {
  const { manifestOf } = await import('@iommu/conformance')
  let found: string | undefined
  try {
    const manifest: unknown = manifestOf(backend)
    if (typeof manifest !== 'object' || manifest === null || !('formats' in manifest)) found = 'a driver without one'
  } catch (error) {
    found = described(error)
  }
  if (found === undefined) return
  throw new InputError({ file, place: `backend "${backend.backend}"`, expected: 'createMachine and createDriver that make a driver with a manifest', found })
}

/** The file behind a path or a package name, whose module exports `backends`. */
const locate = (name: string): string => {
  if (/^[./]/.test(name)) {
    const path = resolve(name)
    const candidates = [path, join(path, 'dist/backends.js'), join(path, 'backends.js')].filter((each) => /\.m?js$/.test(each))
    const found = candidates.find(existsSync)
    if (found !== undefined) return found
    throw new InputError({
      file: name, place: 'driver', expected: 'a module (.js or .mjs), or a folder with dist/backends.js', found: existsSync(path) ? 'neither' : 'nothing',
    })
  }
  try {
    return createRequire(join(process.cwd(), 'package.json')).resolve(`${name}/backends`)
  } catch {
    const near = existsSync(name) ? `./${name}` : nearest(name, driverNames)
    throw new UsageError(`there is no driver "${name}"${near === undefined ? '' : `; did you mean ${near}?`}; iommu drivers lists those that are here`)
  }
}

/** Throws UsageError for a name that leads nowhere, InputError for a module that is no driver. */
export const loadDriver = async (name: string): Promise<DriverModule> => {
  const short = name.replace(/^@iommu\//, '')
  if (isInstalled(short)) {
    const [{ backends }, { variants }] = await Promise.all([installed[short].backends(), installed[short].variants()])
    return { backends, variants }
  }
  return loadOther(name)
}

const others = new Map<string, Promise<DriverModule>>()

/** A module of somebody else's is looked at once. */
const loadOther = (name: string): Promise<DriverModule> => {
  let known = others.get(name)
  if (known === undefined) others.set(name, (known = readModule(name)))
  return known
}

const readModule = async (name: string): Promise<DriverModule> => {
  const file = locate(name)
  let module: { readonly backends?: unknown; readonly variants?: unknown }
  try {
    module = await import(pathToFileURL(file).href) as typeof module
  } catch (error) {
    throw new InputError({ file: name, place: 'driver', expected: 'a module that can be loaded', found: described(error) })
  }
  const { backends, variants = [] } = module
  if (!Array.isArray(backends) || backends.length === 0 || !backends.every(isBackend)) {
    throw new InputError({
      file: name, place: 'export "backends"', expected: `a list of backends (${Object.keys(PARTS).join(', ')}, ...)`, found: whatIs(backends),
    })
  }
  if (!Array.isArray(variants)) {
    throw new InputError({ file: name, place: 'export "variants"', expected: 'a list of broken drivers', found: typeof variants })
  }
  for (const backend of backends) await checkBackend(name, backend)
  return { backends, variants: variants as readonly DriverVariant[] }
}
