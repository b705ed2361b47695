// Random walks over the whole API, drawn by fast-check, on every kind of hardware; and broken drivers that walks find.
import fc from 'fast-check'
import { describe, test } from 'vitest'
import { walks } from '@iommu/conformance/random'
import { coreVariants } from '@iommu/core/variants'
import { backends } from '../src/backends.js'
import { variants } from '../src/variants/index.js'

walks({ describe, test }, fc, {
  backends,
  variants,
  // A broken core layer shows under any driver.
  coreVariants,
  seed: Number(process.env['IOMMU_SEED'] ?? 1),
  finds: [
    'no-entry-cache-flush', 'no-context-cache-flush', 'no-iotlb-flush', 'no-iotlb-flush-legacy', 'no-write-back', 'no-flush-after-set',
    'identity-not-flushed', 'first-page-only', 'wrong-domain-flushed', 'pasid-pages-not-flushed', 'no-entry-cache-after-set',
    'old-is-default', 'first-old-is-new', 'current-attached-again', 'user-domain-displaced', 'detach-to-default', 'identity-removes-pasids',
    'claim-keeps-default', 'claim-not-exclusive', 'claim-over-pasids', 'claim-over-user-domain', 'release-stays-blocked', 'new-member-on-default',
    'first-member-only', 'failed-probe-kept', 'release-before-park', 'reset-keeps-pasids', 'attach-during-reset', 'inner-reset-ends-all',
    'pasid-limit-unchecked', 'pasid-taken-over', 'pasid-not-removed', 'pasidless-member-set', 'rid-switch-drops-pasids', 'second-bind-attaches',
    'failed-map-left',
  ],
  findsBy: {
    ats: ['device-tlb-kept', 'device-tlb-pages-kept'],
    deferred: ['deferral-ignored', 'deferred-old-is-default', 'deferred-device-parked'],
    'flush-queue': ['queued-address-reused', 'queued-unmap-flushes'],
    failures: ['strange-code'],
    units: ['second-unit-not-flushed'],
  },
})
