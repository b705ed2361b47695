// Each public entry bundled for a browser: that it can be, and how large it is.
import { gzipSync } from 'node:zlib'
import { build } from 'esbuild'

/** Budgets in bytes, gzipped and minified with everything they import: by export path. */
const budgets = { './tables': 8_000, '.': 25_000 }

/** The budget of an entry of a package; undefined where it has none. */
export const budgetOf = (name, entry) => (name.startsWith('@iommu/driver-') ? budgets[entry] : undefined)

/** Bundles what an entry exports, from a project in which the package is installed. Throws what esbuild finds wrong. */
export const bundle = async (project, specifier) => {
  const { outputFiles: [output] } = await build({
    stdin: { contents: `export * from '${specifier}'`, resolveDir: project },
    bundle: true, minify: true, write: false, format: 'esm', platform: 'browser', target: 'es2022', logLevel: 'silent',
  })
  return { code: output.text, size: gzipSync(output.contents, { level: 9 }).length }
}
