// All packages' tests in one process, run from the sources.
import { defineConfig } from 'vitest/config'
import { fromSources } from '@iommu-tools/presets/vitest'

export default defineConfig({
  ...fromSources,
  test: {
    include: ['packages/*/test/**/*.test.ts', 'tools/*/test/**/*.test.ts'],
    // A mutant runs the whole suite; what is slow is measured by benchmarks, not by time-outs.
    testTimeout: 120_000,
    // Every core: by default one is left idle, and machines that check this have two.
    maxWorkers: '100%',
  },
})
