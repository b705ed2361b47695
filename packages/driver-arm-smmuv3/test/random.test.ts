// Random walks over the whole API, drawn by fast-check, on every kind of hardware; and broken drivers that walks find.
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { checkWalks, runWalks } from '@iommu/conformance/random'
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
  'final-sync-skipped', 'no-configuration-flush', 'no-stream-flush', 'no-context-flush', 'pasid-context-kept', 'never-invalid',
  'no-write-back', 'ids-not-flushed', 'first-page-only', 'wrong-asid-flushed', 'first-command-only', 'linux-block-over-table',
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
