// Finds the workspace of the project itself, where a new driver is one package among the others.
import { existsSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'

const isOurs = (folder: string): boolean => {
  const file = join(folder, 'packages/core/package.json')
  if (!existsSync(file)) return false
  const { name } = JSON.parse(readFileSync(file, 'utf8')) as { readonly name?: unknown }
  return name === '@iommu/core'
}

/** The root of the workspace that a folder lies in; undefined outside of one. */
export const findWorkspace = (folder: string): string | undefined => {
  for (let at = folder; ; at = dirname(at)) {
    if (isOurs(at)) return at
    if (dirname(at) === at) return undefined
  }
}
