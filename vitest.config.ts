// All packages' tests in one process, run from the sources.
import { defineConfig } from 'vitest/config'
import { fromSources } from '@iommu-tools/presets/vitest'

export default defineConfig({
  ...fromSources,
  test: { include: ['packages/*/test/**/*.test.ts', 'tools/*/test/**/*.test.ts'] },
})
