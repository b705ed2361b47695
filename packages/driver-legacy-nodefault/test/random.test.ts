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
  'tegra-no-table-cache-flush', 'tegra-no-flush-of-ids', 'tegra-blocks-by-disable', 'msm-blocks-by-reset', 'msm-bank-kept',
  'msm-wrong-address-space', 'msm-on-too-early', 'omap-no-flush', 'omap-blocks-by-off', 's390-no-refresh', 's390-guest-maps-unseen',
  's390-blocks-by-identity', 's390-guest-refreshes-one', 'mtk-never-cleared', 'gart-entries-stay',
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
