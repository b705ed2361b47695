// Mutants of any driver, on this one.
import { mutants } from '@iommu/conformance'
import { describe, test } from 'vitest'
import { backends } from '../src/backends.js'
import { variants } from '../src/variants/index.js'

mutants({ describe, test }, { backends, variants, part: 'driver' })
