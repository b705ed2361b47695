// The suite's teeth on this driver: one test for each mutant of a part.
import { mutantTrials } from '@iommu/conformance'
import type { MutantResult } from '@iommu/conformance'
import { coreVariants } from '@iommu/core/variants'
import { describe, expect, test } from 'vitest'
import { backends } from '../src/backends.js'
import { variants } from '../src/variants/index.js'

/** The first statement that a mutant breaks fails, and nothing outside of its list does. */
export const testMutants = (part: MutantResult['part']): void => {
  const trials = mutantTrials(backends, variants, coreVariants).filter((each) => each.part === part)
  describe(`mutants: ${part}`, () => {
    test.each(trials.map((trial) => [trial.id, trial] as const))('%s', (_id, trial) => {
      const { breaks, caughtBy } = trial.run()
      const failed = caughtBy.map(({ statement }) => statement)
      expect(failed).toContain(breaks[0])
      expect(failed.filter((each) => !breaks.includes(each))).toEqual([])
    })
  })
}
