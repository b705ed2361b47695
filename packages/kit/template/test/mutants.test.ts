// The suite's teeth on this driver: each broken driver fails the statement that it breaks, and no other.
import { mutantTrials } from '@iommu/conformance'
import { describe, expect, test } from 'vitest'
import { backends } from '../src/backends.js'
import { variants } from '../src/variants/index.js'

describe('variants', () => {
  const trials = mutantTrials(backends, variants, []).filter(({ part }) => part === 'variant')
  test.each(trials.map((trial) => [trial.id, trial] as const))('%s', (_id, trial) => {
    const { breaks, caughtBy } = trial.run()
    const failed = caughtBy.map(({ statement }) => statement)
    expect(failed).toContain(breaks[0])
    expect(failed.filter((each) => !breaks.includes(each))).toEqual([])
  })
})
