// The tests that judge mutants of a driver's pure half: those that look at words, plans and transitions, and are fast.
import { defineConfig } from 'vitest/config'
import { fromSources } from '@iommu-tools/presets/vitest'

export default defineConfig({
  ...fromSources,
  test: {
    include: ['packages/driver-*/test/{layouts,plan,transitions,beside-linux,hardware}.test.ts'],
    testTimeout: 120_000,
    maxWorkers: 1,
  },
})
