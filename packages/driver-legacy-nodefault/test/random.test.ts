// Random walks over the whole API, drawn by fast-check, on every kind of hardware; and broken drivers that walks find.
import fc from 'fast-check'
import { describe, test } from 'vitest'
import { walks } from '@iommu/conformance/random'
import { backends } from '../src/backends.js'
import { variants } from '../src/variants/index.js'

walks({ describe, test }, fc, {
  backends,
  variants,
  seed: Number(process.env['IOMMU_SEED'] ?? 1),
  finds: [
    'tegra-no-table-cache-flush', 'tegra-no-flush-of-ids', 'tegra-blocks-by-disable', 'msm-blocks-by-reset', 'msm-bank-kept',
    'msm-wrong-address-space', 'msm-on-too-early', 'omap-no-flush', 'omap-blocks-by-off', 's390-no-refresh', 's390-guest-maps-unseen',
    's390-blocks-by-identity', 's390-guest-refreshes-one', 'mtk-never-cleared', 'gart-entries-stay',
  ],
})
