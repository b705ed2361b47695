// How every library is built: ESM, source maps, declarations that still name the packages they import.
import { readFileSync } from 'node:fs'

/** Functions that layouts and formats are declared with: they make a value, and do nothing else. */
const DECLARATIONS = ['address', 'bit', 'entry', 'field', 'remembered', 'split', 'splitAddress', 'wide']

/** Marks the declarations of a module as pure: a bundler cannot see that into another file, and would keep every layout and format. */
const marked = (text) => {
  const imported = [...text.matchAll(/^import \{([^}]*)\} from/gm)].flatMap(([, names]) => names.split(',').map((name) => name.trim()))
  const names = imported.filter((name) => DECLARATIONS.includes(name))
  return names.length === 0 ? text : text.replace(new RegExp(`(?<![\\w.'])(?:${names.join('|')})\\(`, 'g'), '/* @__PURE__ */ $&')
}

const pureDeclarations = {
  name: 'pure-declarations',
  setup: ({ onLoad }) => onLoad({ filter: /\/src\/.*\.ts$/ }, ({ path }) => ({ contents: marked(readFileSync(path, 'utf8')), loader: 'ts' })),
}

/**
 * @param {Record<string, string>} entry output name -> source file
 * @returns {import('tsup').Options}
 */
export const library = (entry) => ({
  entry,
  format: ['esm'],
  target: 'node20',
  sourcemap: true,
  clean: true,
  treeshake: true,
  splitting: true,
  esbuildPlugins: [pureDeclarations],
  // tsup 8.5 sets baseUrl for its declaration build, which TypeScript 6 deprecates (egoist/tsup#1388).
  dts: { compilerOptions: { ignoreDeprecations: '6.0' } },
})
