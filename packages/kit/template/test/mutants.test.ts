// Mutants of this driver: each fails the statement that it breaks, and no other than it lists.
import { mutants } from '@iommu/conformance'
import { describe, test } from 'vitest'
import { backends } from '../src/backends.js'
import { variants } from '../src/variants/index.js'

mutants({ describe, test }, { backends, variants, part: 'variant' })
