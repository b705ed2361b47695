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
    'no-context-flush', 'no-device-context-flush', 'wrong-identifier-flushed', 'pages-of-next-identifier', 'first-page-only',
    'stride-of-large-pages',
  ],
  findsBy: { ats: ['device-tlb-not-told', 'device-tlb-keeps-old-domain'], failures: ['strange-code'], units: ['second-unit-not-flushed'] },
})
