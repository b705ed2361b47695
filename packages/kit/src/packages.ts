// What surrounds a driver's sources: its package, its types and its build, in this workspace and outside of it.
import { readFileSync } from 'node:fs'
import type { DriverName } from './name.js'

/** Versions of the packages that a driver is made with: those that this kit was made with. */
const versions = (): Readonly<Record<string, string>> => {
  const file = new URL('../package.json', import.meta.url)
  return (JSON.parse(readFileSync(file, 'utf8')) as { readonly dependencies: Readonly<Record<string, string>> }).dependencies
}

const pick = (names: readonly string[]): Record<string, string> => {
  const all = versions()
  return Object.fromEntries(names.map((name) => [`@iommu/${name}`, all[`@iommu/${name}`] as string]))
}

const ENTRIES = {
  '.': 'index', './tables': 'tables/in-memory', './queues': 'tables/in-queues', './registers': 'tables/in-registers',
  './model': 'model/index', './backends': 'backends', './variants': 'variants/index',
} as const

/** The output of an entry: bundled here, file by file outside. */
const bundled = (entry: string): string => (entry === '.' ? 'index' : entry.slice(2))

const head = (name: string, { pascal }: DriverName): Record<string, unknown> => ({
  name, version: '0.1.0', description: `${pascal} behind the IOMMU contract`, license: 'Apache-2.0', type: 'module', sideEffects: false,
  engines: { node: '>=20.19' },
})

const print = (value: object): string => `${JSON.stringify(value, null, 2)}\n`

/** A package of this workspace, as its neighbours are. */
export const insideFiles = (name: DriverName): Readonly<Record<string, string>> => ({
  'package.json': print({
    ...head(`@iommu/driver-${name.kebab}`, name),
    exports: {
      ...Object.fromEntries(Object.entries(ENTRIES).map(([entry, file]) => [entry, {
        '@iommu/source': `./src/${file}.ts`, types: `./dist/${bundled(entry)}.d.ts`, default: `./dist/${bundled(entry)}.js`,
      }])),
      './package.json': './package.json',
    },
    files: ['dist', 'src'],
    publishConfig: { access: 'public' },
    scripts: { build: 'tsup' },
    dependencies: pick(['bits', 'hardware', 'page-table']),
    peerDependencies: pick(['core']),
    devDependencies: pick(['conformance', 'core']),
  }),
  'tsconfig.json': print({ extends: '../../tsconfig.base.json', include: ['src', 'test'] }),
  'tsup.config.ts': [
    'import { defineConfig } from \'tsup\'', 'import { library } from \'@iommu-tools/presets/tsup\'', '',
    'export default defineConfig(library({',
    ...Object.entries(ENTRIES).map(([entry, file]) => `  ${bundled(entry)}: 'src/${file}.ts',`),
    '}))', '',
  ].join('\n'),
})

/** A package of its own. */
export const outsideFiles = (name: DriverName): Readonly<Record<string, string>> => ({
  'package.json': print({
    ...head(`driver-${name.kebab}`, name),
    exports: {
      ...Object.fromEntries(Object.entries(ENTRIES).map(([entry, file]) => [entry, {
        types: `./dist/${file}.d.ts`, default: `./dist/${file}.js`,
      }])),
      './package.json': './package.json',
    },
    files: ['dist', 'src'],
    scripts: { build: 'tsc -p tsconfig.build.json', test: 'vitest run', types: 'tsc', conform: 'npm run build && iommu conform .' },
    dependencies: pick(['bits', 'hardware', 'page-table']),
    peerDependencies: pick(['core']),
    devDependencies: { '@iommu/cli': '^0.1.0', ...pick(['conformance', 'core']), typescript: '^6.0.0', vitest: '^4.1.0' },
  }),
  'tsconfig.json': print({
    compilerOptions: {
      target: 'ES2022', lib: ['ES2023'], module: 'ESNext', moduleResolution: 'Bundler', types: [], strict: true,
      noUncheckedIndexedAccess: true, exactOptionalPropertyTypes: true, verbatimModuleSyntax: true, isolatedModules: true,
      skipLibCheck: true, noEmit: true,
    },
    include: ['src', 'test'],
  }),
  'tsconfig.build.json': print({
    extends: './tsconfig.json', compilerOptions: { noEmit: false, declaration: true, rootDir: 'src', outDir: 'dist' }, include: ['src'],
  }),
  '.gitignore': 'node_modules\ndist\n',
})
