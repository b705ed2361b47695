// What is unused: files, dependencies and exports. Every exception says why.
const driver = { entry: ['src/{index,backends,reproduce}.ts', 'src/{model,variants,history}/index.ts', 'src/tables/in-*.ts', 'test/**/*.test.ts'] }

/** @type {import('knip').KnipConfig} */
export default {
  // A type that an exported function takes or gives has a name that others may write.
  ignoreExportsUsedInFile: { interface: true, type: true },
  workspaces: {
    '.': { entry: [] },
    'packages/*': { entry: ['src/*-entry.ts', 'test/**/*.test.ts'] },
    'packages/core': { entry: ['src/driver/index.ts', 'src/variants/index.ts'] },
    'packages/driver-*': driver,
    // Verbs are loaded by their names in verbs/index.ts; what is run in a worker is started by its file's name. The vectors are read
    // as files, and the explorer is found by its package.json.
    'packages/cli': { entry: ['src/iommu.ts', 'src/verbs/*.ts', 'src/*-worker.ts', 'test/**/*.test.ts'], ignoreDependencies: ['@iommu/vectors', '@iommu/explorer'] },
    // A vendor is loaded when it is first needed, by a table of functions.
    'packages/inspect': { entry: ['src/*/{index,root}.ts', 'test/**/*.test.ts'] },
    // One page, which names its first module; examples are loaded when they are asked for.
    'packages/explorer': { entry: ['src/main.tsx', 'src/blocked/example-*.ts', 'test/**/*.test.{ts,tsx}'], project: ['src/**/*.{ts,tsx}', 'test/**/*.ts'] },
    // The template is a driver that is copied, with what it imports.
    'packages/kit': { entry: ['template/src/{index,backends}.ts', 'template/src/*/index.ts', 'test/**/*.test.ts'], ignoreDependencies: ['@iommu/page-table'] },
    // The driver is an alias of the one that is mutated.
    'tools/mutation': { entry: ['*.js', 'test/**/*.test.ts'], ignoreDependencies: ['driver-under-test'] },
    'tools/*': { entry: ['*.js', 'test/**/*.test.ts'] },
  },
}
