// All statements, by subject, in the order in which they are reported.
import type { Statement } from '../statement.js'
import { attachStatements } from './attach.js'
import { blockedStatements } from './blocked.js'
import { detachStatements } from './detach.js'
import { driverStatements } from './driver.js'
import { freeStatements } from './free.js'
import { groupStatements } from './groups.js'
import { identityStatements } from './identity.js'
import { mapStatements } from './map.js'
import { ownershipStatements } from './ownership.js'
import { pasidStatements } from './pasid.js'
import { releaseStatements } from './release.js'
import { reservedStatements } from './reserved.js'
import { resetStatements } from './reset.js'
import { rollbackStatements } from './rollback.js'
import { svaStatements } from './sva.js'
import { unmapStatements } from './unmap.js'

export const allStatements: readonly Statement[] = [
  ...driverStatements,
  ...attachStatements,
  ...blockedStatements,
  ...identityStatements,
  ...detachStatements,
  ...ownershipStatements,
  ...groupStatements,
  ...rollbackStatements,
  ...releaseStatements,
  ...reservedStatements,
  ...resetStatements,
  ...pasidStatements,
  ...svaStatements,
  ...mapStatements,
  ...unmapStatements,
  ...freeStatements,
]
