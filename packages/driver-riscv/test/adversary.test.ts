// The driver under the stricter reading of the specification: hardware reads the words of a context in any order.
import { runSuite } from '@iommu/conformance'
import { describe, expect, test } from 'vitest'
import { backends, driverOver } from '../src/backends.js'
import { createRiscvAdversary } from '../src/model/index.js'
import type { RiscvMachine } from '../src/model/index.js'
import { programming } from '../src/programming/index.js'

const [sv39, plain] = ['Sv39', 'no PASIDs, base contexts, Sv39 and Sv39x4'].map((name) => backends.find(({ backend }) => backend === name)) as
  [(typeof backends)[number], (typeof backends)[number]]

/** The sentences of adversarial mode: during a switch, after it, other points meanwhile, and when ids are given back. */
const watched = ['C-ATTACH-06', 'C-ATTACH-18', 'C-PASID-03', 'C-PASID-17', 'C-PASID-18', 'C-FREE-01']

const free = (backend: (typeof backends)[number], broken = false): (typeof backends)[number] => ({
  ...backend,
  createAdversary: (machine, options) => createRiscvAdversary(machine as RiscvMachine, { fetch: 'free', ...options }),
  ...(broken ? {
    createDriver: (machines, { warn }) => driverOver(machines, warn, {
      programming: {
        ...programming,
        // Nothing is drained before the word that makes the switch.
        planEntry(from, to, flushes, used) {
          const steps = programming.planEntry(from, to, flushes, used)
          const last = steps.findLastIndex((step) => step.do === 'store')
          return steps.filter((step, index) => index >= last || step.do !== 'invalidate' || from[0] !== 0n)
        },
      },
    }),
  } : {}),
})

const failed = (backend: (typeof backends)[number]): string[] =>
  runSuite(backend, { only: watched }).results.filter(({ status }) => status === 'failed').map(({ statement, reason }) => `${statement}: ${reason ?? ''}`)

describe('words read in any order', () => {
  test.each([sv39, plain].map((each) => [each.backend, each] as const))('%s', (_name, backend) => expect(failed(free(backend))).toEqual([]), 120_000)
  test('a driver that does not drain lets identity through for a moment', () => {
    expect(failed(free(plain, true)).map((each) => each.slice(0, 11))).toContain('C-ATTACH-06')
    // V first, as the other reading has it, and nobody notices.
    expect(failed({ ...free(plain, true), createAdversary: plain.createAdversary })).toEqual([])
  }, 120_000)
})
