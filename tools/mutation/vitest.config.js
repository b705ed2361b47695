// The tests that judge mutants of a room: those of its driver that are fast.
import { defineConfig } from 'vitest/config'
import { fromSources } from '@iommu-tools/presets/vitest'
import { chosen } from './rooms.js'

const { driver, tests, ours } = chosen()

export default defineConfig({
  ...fromSources,
  resolve: { ...fromSources.resolve, alias: { 'driver-under-test': new URL(`../../packages/driver-${driver}/src`, import.meta.url).pathname } },
  test: {
    include: [...tests.map((each) => `packages/driver-${driver}/test/${each}.test.ts`), ...ours.map((each) => `tools/mutation/${each}.test.{js,ts}`)],
    testTimeout: 120_000,
    maxWorkers: 1,
  },
})
