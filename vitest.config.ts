// All packages' tests in one process, run from the sources.
import { defineConfig } from 'vitest/config'
import { BaseSequencer } from 'vitest/node'
import { fromSources } from '@iommu-tools/presets/vitest'
import { suiteFlags } from './packages/cli/src/v8-flags.js'

type Files = Parameters<BaseSequencer['sort']>[0]

/** The longest first, so that none is left to run alone at the end: vitest goes by the size of files, and the longest here have seven lines. */
class LongestFirst extends BaseSequencer {
  override async sort(files: Files): Promise<Files> {
    const isLong = ({ moduleId }: Files[number]): boolean => /\/(mutants-|conformance\.test)/.test(moduleId)
    const sorted = await super.sort(files)
    return [...sorted.filter(isLong), ...sorted.filter((each) => !isLong(each))]
  }
}

export default defineConfig({
  ...fromSources,
  test: {
    include: ['packages/*/test/**/*.test.ts', 'tools/*/test/**/*.test.ts'],
    // A mutant runs the whole suite; what is slow is measured by benchmarks, not by time-outs.
    testTimeout: 120_000,
    // Every core: by default one is left idle, and machines that check this have two.
    maxWorkers: '100%',
    sequence: { sequencer: LongestFirst },
    execArgv: [...suiteFlags],
  },
})
