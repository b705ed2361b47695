// What the backends cover: every capability of the hardware with it and without it, and every statement with a mutant of its own.
import { readFileSync } from 'node:fs'
import { allStatements, manifestOf, mutantTrials, opsMutants, runStatement } from '@iommu/conformance'
import type { Backend, DriverVariant, Statement } from '@iommu/conformance'
import { coreVariants } from '@iommu/core/variants'
import { backends as amd } from '@iommu/driver-amd-vi/backends'
import { variants as amdVariants } from '@iommu/driver-amd-vi/variants'
import { backends as arm } from '@iommu/driver-arm-smmuv3/backends'
import { variants as armVariants } from '@iommu/driver-arm-smmuv3/variants'
import { backends as intel } from '@iommu/driver-intel-vtd/backends'
import { variants as intelVariants } from '@iommu/driver-intel-vtd/variants'
import { backends as legacy } from '@iommu/driver-legacy-nodefault/backends'
import { variants as legacyVariants } from '@iommu/driver-legacy-nodefault/variants'
import { backends as riscv } from '@iommu/driver-riscv/backends'
import { variants as riscvVariants } from '@iommu/driver-riscv/variants'
import { describe, expect, test } from 'vitest'

/** Capabilities that no backend lacks. */
const NEVER_ABSENT: Readonly<Record<string, readonly string[]>> = {
  // The driver refuses a unit without: what it cached before cannot be named.
  'driver-amd-vi': ['invalidateAll'],
}

const drivers: readonly (readonly [name: string, backends: readonly Backend[], variants: readonly DriverVariant[]])[] = [
  ['driver-amd-vi', amd, amdVariants], ['driver-arm-smmuv3', arm, armVariants], ['driver-intel-vtd', intel, intelVariants],
  ['driver-legacy-nodefault', legacy, legacyVariants], ['driver-riscv', riscv, riscvVariants],
]

/** What a model was made with, by its members; the seven old ones are one hardware each. */
const profileOf = (backend: Backend): Readonly<Record<string, unknown>> => {
  const machine: object = backend.createMachine({ endpoints: new Map(), unit: 0 })
  return 'profile' in machine ? machine.profile as Readonly<Record<string, unknown>> : {}
}

const isAsked = (backend: Backend, { needs, unless }: Statement): boolean => {
  if (needs === 'adversary' && backend.createAdversary === undefined) return false
  const ops = backend.createDriver([backend.createMachine({ endpoints: new Map(), unit: 0 })], { warn: () => undefined })
  return unless?.(ops.manifest, backend, ops) === undefined
}

describe.each(drivers)('%s', (name, backends, variants) => {
  test('each capability is there in one backend and not, or otherwise, in another', () => {
    const profiles = backends.map(profileOf)
    const same = Object.keys(profiles[0] ?? {}).filter((each) => new Set(profiles.map((profile) => JSON.stringify(profile[each]))).size === 1)
    expect(same).toEqual(NEVER_ABSENT[name] ?? [])
  })
  test('each statement that is asked of it has a mutant that must fail just that', () => {
    const manifests = backends.map(manifestOf)
    const ofAny = opsMutants.filter(({ where }) => where === undefined || manifests.some(where))
    const first = new Set([...variants, ...ofAny, ...coreVariants].map(({ breaks }) => breaks[0]))
    const asked = allStatements.filter((statement) => backends.some((backend) => isAsked(backend, statement)))
    // Some find out only when they run that the hardware has nothing for them.
    const takesPart = (statement: Statement): boolean => backends.some((backend) => runStatement(statement, backend).status !== 'not-declared')
    expect(asked.filter(({ id }) => !first.has(id)).filter(takesPart).map(({ id }) => id)).toEqual([])
    expect(asked.length).toBeGreaterThan(80)
  })
})

test('the README counts the mutants', () => {
  const trials = drivers.flatMap(([, backends, variants]) => mutantTrials(backends, variants, coreVariants).map(({ id }) => id))
  const readme = readFileSync(new URL('../../../README.md', import.meta.url), 'utf8')
  expect(readme).toContain(`${new Set(trials).size} mutants, tried ${trials.length} times on five drivers`)
})
