// Public entries bundled for a browser: that they can be, and how large they are.
import { gzipSync } from 'node:zlib'
import { build } from 'esbuild'

/** Budgets in bytes, gzipped and minified with everything they import: by export path. */
const budgets = { './tables': 8_000, '.': 25_000 }

/**
 * Entries that are over budget, and may not grow: an SMMU has two stages of tables, three granules, and more fields than any
 * other IOMMU; even without the fields' titles its driver would be 27 kB. Layouts of registers are most of what is over in tables.
 */
const over = {
  '@iommu/driver-arm-smmuv3': { './tables': 11_500, '.': 31_000 },
  '@iommu/driver-amd-vi': { './tables': 8_800, '.': 25_800 },
  // The tables of seven vendors.
  '@iommu/driver-legacy-nodefault': { './tables': 9_000 },
}

/** The budget of an entry of a package; undefined where it has none. */
export const budgetOf = (name, entry) => (name.startsWith('@iommu/driver-') ? over[name]?.[entry] ?? budgets[entry] : undefined)

/** Bundles a program, from a project in which its packages are installed. Throws what esbuild finds wrong. */
export const bundle = async (project, contents) => {
  const { outputFiles: [output] } = await build({
    stdin: { contents, resolveDir: project, loader: 'ts' },
    bundle: true, minify: true, write: false, format: 'esm', platform: 'browser', target: 'es2022', logLevel: 'silent',
  })
  return { code: output.text, size: gzipSync(output.contents, { level: 9 }).length }
}

/** What a page pays for an entry: all that it exports. */
export const bundleEntry = (project, specifier) => bundle(project, `export * from '${specifier}'`)
