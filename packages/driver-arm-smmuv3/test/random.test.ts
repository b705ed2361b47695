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
    'final-sync-skipped', 'no-configuration-flush', 'no-stream-flush', 'no-context-flush', 'pasid-context-kept', 'never-invalid',
    'no-write-back', 'ids-not-flushed', 'first-page-only', 'wrong-asid-flushed', 'first-command-only', 'linux-block-over-table',
  ],
  findsBy: { ats: ['device-tlb-pages-kept'], failures: ['strange-code'], units: ['second-unit-not-flushed'] },
})
