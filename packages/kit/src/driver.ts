// The files of a new driver: the template with its name put in, and the package around it.
import { readdirSync, readFileSync, statSync } from 'node:fs'
import type { DriverName } from './name.js'
import { insideFiles, outsideFiles } from './packages.js'

export type { DriverName } from './name.js'

/** One file to be written; its path is relative to the driver's folder. */
export interface ScaffoldFile {
  readonly path: string
  readonly text: string
}

/** The template is a driver like any other, compiled and tested where it lies: an IOMMU called Acme. */
const TEMPLATE = new URL('../template/', import.meta.url)

const templateFiles = (folder: URL, below: string): ScaffoldFile[] =>
  readdirSync(folder).sort().flatMap((name) => {
    const at = new URL(name, folder)
    return statSync(at).isDirectory()
      ? templateFiles(new URL(`${name}/`, folder), `${below}${name}/`)
      : [{ path: `${below}${name}`, text: readFileSync(at, 'utf8') }]
  })

/** Every file of a driver called `name`; `inside`: as a package of this workspace, else as one of its own. */
export const scaffoldDriver = (name: DriverName, inside: boolean): readonly ScaffoldFile[] => [
  ...Object.entries(inside ? insideFiles(name) : outsideFiles(name)).map(([path, text]) => ({ path, text })),
  ...templateFiles(TEMPLATE, '').map(({ path, text }) => ({
    path, text: text.replaceAll('Acme', name.pascal).replaceAll('acme', name.kebab),
  })),
]
