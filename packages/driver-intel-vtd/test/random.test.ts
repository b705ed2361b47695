// Random walks over the whole API, drawn by fast-check, on every kind of hardware; and broken drivers that walks find.
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { checkWalks, runWalks } from '@iommu/conformance/random'
import { coreVariants } from '@iommu/core/variants'
import { backends } from '../src/backends.js'
import { variants } from '../src/variants/index.js'

const WALKS = 60
/** Another seed makes other walks; one that fails names the seed and the shortest walk. */
const seed = Number(process.env['IOMMU_SEED'] ?? 1)

describe('walks', () => {
  test.each(backends.map((backend) => [backend.backend, backend] as const))('%s', (_name, backend) => {
    checkWalks(fc, backend, { walks: WALKS, seed })
  })
})

/** What shows at rest; what shows for a moment only is for statements that look at every step. */
const found = [
  'no-entry-cache-flush', 'no-context-cache-flush', 'no-iotlb-flush', 'no-iotlb-flush-legacy', 'no-write-back', 'no-flush-after-set',
  'identity-not-flushed', 'first-page-only', 'wrong-domain-flushed', 'pasid-pages-not-flushed', 'no-entry-cache-after-set',
]

describe('walks find', () => {
  test.each(found)('%s', (id) => {
    const variant = variants.find((each) => each.id === id)
    const backend = backends.find((each) => variant?.on.includes(each.backend) === true)
    if (variant === undefined || backend === undefined) throw new Error(`there is no variant ${id}`)
    const { misstep } = runWalks({ ...backend, createDriver: variant.createDriver }, { seed: 1, walks: 60 })
    expect(misstep?.commands.length).toBeGreaterThan(0)
    expect(misstep?.commands.length).toBeLessThan(10)
  })
})

/** A broken core layer shows under any driver. */
const foundInCore = [
  'old-is-default', 'first-old-is-new', 'current-attached-again', 'user-domain-displaced', 'detach-to-default', 'identity-removes-pasids',
  'claim-keeps-default', 'claim-not-exclusive', 'claim-over-pasids', 'claim-over-user-domain', 'release-stays-blocked', 'new-member-on-default',
  'first-member-only', 'failed-probe-kept', 'release-before-park', 'reset-keeps-pasids', 'attach-during-reset', 'inner-reset-ends-all',
  'pasid-limit-unchecked', 'pasid-taken-over', 'pasid-not-removed', 'pasidless-member-set', 'rid-switch-drops-pasids', 'second-bind-attaches',
  'failed-map-left',
]

describe('walks find in the core layer', () => {
  test.each(foundInCore)('%s', (id) => {
    const variant = coreVariants.find((each) => each.id === id)
    const [backend] = backends
    if (variant === undefined || backend === undefined) throw new Error(`there is no variant ${id}`)
    expect(runWalks(backend, { seed: 1, walks: 100, createCore: variant.create }).misstep?.commands.length).toBeGreaterThan(0)
  })
})
