// Cores that are broken in one way each: by them the statements about the core are known to be able to fail.
import { attachVariants } from './attach.js'
import { blockedAndIdentityVariants } from './blocked-identity.js'
import { groupVariants } from './groups.js'
import { mapVariants, unmapVariants } from './map.js'
import { ownershipVariants } from './ownership.js'
import { pasidVariants, svaVariants } from './pasid.js'
import { releaseVariants } from './release.js'
import { reservedVariants } from './reserved.js'
import { resetVariants } from './reset.js'
import { rollbackVariants } from './rollback.js'
import type { CoreVariant } from './variant.js'

export type { CoreVariant } from './variant.js'

export const coreVariants: readonly CoreVariant[] = [
  ...attachVariants,
  ...blockedAndIdentityVariants,
  ...ownershipVariants,
  ...groupVariants,
  ...rollbackVariants,
  ...releaseVariants,
  ...reservedVariants,
  ...resetVariants,
  ...pasidVariants,
  ...svaVariants,
  ...mapVariants,
  ...unmapVariants,
]
