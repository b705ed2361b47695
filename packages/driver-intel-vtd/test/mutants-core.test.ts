// The core layer's mutants; they are the same on every driver, and judged on this one.
import { mutants } from '@iommu/conformance'
import { coreVariants } from '@iommu/core/variants'
import { describe, test } from 'vitest'
import { backends } from '../src/backends.js'

mutants({ describe, test }, { backends, variants: [], coreVariants, part: 'core' })
