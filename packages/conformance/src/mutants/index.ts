// Mutants that break any driver.
import { attachMutants } from './attach.js'
import { blockedMutants } from './blocked.js'
import { lifeMutants } from './life.js'
import { mapMutants } from './map.js'
import type { OpsMutant } from './mutant.js'
import { pasidMutants } from './pasid.js'

export const opsMutants: readonly OpsMutant[] = [
  ...attachMutants, ...blockedMutants, ...lifeMutants, ...pasidMutants, ...mapMutants,
]
