// How tests run: straight from the sources, with no build before them.

/** The condition under which every package resolves to its sources. */
export const sourceCondition = '@iommu/source'

/** @type {import('vitest/config').ViteUserConfig} */
export const fromSources = {
  resolve: { conditions: [sourceCondition] },
  ssr: { resolve: { conditions: [sourceCondition] } },
  test: { include: ['test/**/*.test.ts'] },
}
