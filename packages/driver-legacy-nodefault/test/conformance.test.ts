// The suite on every kind of hardware.
import { describe, test, vi } from 'vitest'
import { conformance } from '@iommu/conformance'
import { backends } from '../src/backends.js'

// The GART's aperture has 8192 entries, and its switches are watched register by register.
vi.setConfig({ testTimeout: 60_000 })

for (const backend of backends) conformance({ describe, test }, backend)
