// The floors of the house: a package imports only from floors below its own.

/** From the ground up. A name that ends in `*` stands for all packages that begin so. */
export const floors = [
  ['bits', 'core', 'vectors'],
  ['hardware'],
  ['page-table'],
  ['driver-*'],
  ['conformance', 'inspect', 'machine-qemu', 'kit'],
  ['film'],
  ['cli', 'explorer'],
]

/** Packages that may use Node's own modules and globals; all others run in a page too. */
export const onNode = ['cli', 'kit', 'machine-qemu']

const floorOf = (name) => floors.findIndex((names) =>
  names.some((each) => (each.endsWith('*') ? name.startsWith(each.slice(0, -1)) : name === each)))

const spell = (name) => `@iommu/${name}`

/** What a package on a floor must not import, with the sentence that says why. */
const forbiddenAbove = (name) => {
  const own = floorOf(name)
  if (own < 0) throw new Error(`packages/${name} stands on no floor: add it to tools/presets/floors.js`)
  const names = floors.slice(own).flat().filter((each) => each !== name)
  return names.map((each) => ({
    group: [spell(each), `${spell(each)}/*`],
    message: `${spell(name)} stands on floor ${own} and imports only from below; see docs/architecture.md.`,
  }))
}

const conformanceOnly = (name) => (name !== 'conformance' ? [] : [{
  group: ['@iommu/driver-*'], message: 'The suite is handed a driver and imports none: a stranger\'s driver must not be different.',
}])

const elsewhere = [{
  group: ['**/packages/**', '../../../*/src/**'], message: 'Packages are imported by name, so that their exports are their face.',
}]

const nodeModules = (name) => (onNode.includes(name) ? [] : [{
  group: ['node:*', 'fs', 'path', 'url', 'util', 'process', 'worker_threads'],
  message: 'Only cli and machine-qemu use Node; everything else runs in a page too.',
}])

const globals = ['process', 'Buffer', 'require', '__dirname', '__filename', 'setImmediate', 'global']

/**
 * Lint rules of one package's sources.
 * @param {string} name folder under packages/
 */
export const floorRules = (name) => ({
  files: [`packages/${name}/src/**/*.{ts,tsx}`],
  rules: {
    'no-restricted-imports': ['error', {
      patterns: [...forbiddenAbove(name), ...conformanceOnly(name), ...elsewhere, ...nodeModules(name)],
    }],
    ...(onNode.includes(name) ? {} : {
      'no-restricted-globals': ['error', ...globals.map((each) => ({ name: each, message: 'Only cli and machine-qemu use Node.' }))],
    }),
  },
})

const side = (folders, banned, message) => ({
  files: folders.map((each) => `packages/driver-*/src/${each}`),
  rules: { 'no-restricted-syntax': ['error', ...banned.map((each) => ({
    selector: `ImportDeclaration[source.value=/\\/${each}(\\/|\\.js$)/]`, message,
  }))] },
})

/** Inside a driver: the model shares the layouts with the driver and nothing else. */
export const driverRooms = [
  side(['model/**/*.ts'], ['programming', 'domains', 'devices', 'variants', 'driver', 'unit', 'manifest'],
    'The model reads tables and registers only: it must not know how the driver writes them.'),
  side(['{programming,domains,devices,tables}/**/*.ts', '{driver,unit,manifest,index}.ts'], ['model', 'variants', 'backends'],
    'The driver does not know what stands behind the machine.'),
]
