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
    'no-entry-flush', 'no-pages-flush', 'no-slot-flush', 'slot-leaves-only', 'blocked-not-valid', 'blocked-without-room', 'blocked-2022',
    'blocked-erratum-63', 'detach-takes-pasids', 'pasids-from-nothing', 'identity-not-flushed', 'entry-kept-at-release', 'first-page-only',
    'wrong-domain-flushed', 'pasid-pages-not-flushed', 'guest-flushed-as-host', 'no-flush-after-set',
  ],
  findsBy: { ats: ['device-tlb-kept', 'device-tlb-pages-kept'], failures: ['strange-code'], units: ['second-unit-not-flushed'] },
})
