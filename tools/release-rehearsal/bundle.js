// Public entries bundled for a browser: that they can be, and how large they are.
import { gzipSync } from 'node:zlib'
import { build } from 'esbuild'

/** Budgets in bytes, gzipped and minified with everything they import: by export path. */
const budgets = { './tables': 8_000, './queues': 8_000, './registers': 8_000, '.': 25_000 }

/**
 * What is over budget, and may not grow. 9 to 10 kB of each driver are the page tables that all of them have, written for speed. The
 * SMMUv3's is 30.6 kB: two stages, three granules and more fields than any other IOMMU, of which layouts are 7.6 kB, half of that words for
 * people; without a single word it would still be 27 kB.
 */
const over = { '@iommu/driver-arm-smmuv3': { '.': 30_900 } }

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
