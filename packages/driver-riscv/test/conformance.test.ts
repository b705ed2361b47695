// The suite on every kind of hardware.
import { describe, test } from 'vitest'
import { conformance } from '@iommu/conformance'
import { backends } from '../src/backends.js'

for (const backend of backends) conformance({ describe, test }, backend)
