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

const isBackend = (value: unknown): value is Backend =>
  typeof value === 'object' && value !== null && 'createDriver' in value && 'createMachine' in value

/** The file behind a path or a package name, whose module exports `backends`. */
const locate = (name: string): string => {
  if (/^[./]/.test(name)) {
    const path = resolve(name)
    const candidates = [path, join(path, 'dist/backends.js'), join(path, 'backends.js')].filter((each) => /\.m?js$/.test(each))
    const found = candidates.find(existsSync)
    if (found !== undefined) return found
    throw new InputError({ file: name, place: 'driver', expected: 'a module, or a folder with dist/backends.js', found: existsSync(path) ? 'neither' : 'nothing' })
  }
  try {
    return createRequire(join(process.cwd(), 'package.json')).resolve(`${name}/backends`)
  } catch {
    const near = nearest(name, driverNames)
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
  const file = locate(name)
  const module = await import(pathToFileURL(file).href) as { readonly backends?: unknown; readonly variants?: readonly DriverVariant[] }
  if (!Array.isArray(module.backends) || module.backends.length === 0 || !module.backends.every(isBackend)) {
    throw new InputError({
      file: name, place: 'export "backends"', expected: 'a list of backends (createMachine, createDriver, ...)',
      found: module.backends === undefined ? 'nothing' : typeof module.backends,
    })
  }
  return { backends: module.backends, variants: module.variants ?? [] }
}
