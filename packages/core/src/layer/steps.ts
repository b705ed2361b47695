// The core's decisions and actions by name: what calls each other through the context, so that one can be replaced.
import { isCompatible, coreDomain, mayAttach, switchNofail } from './attach.js'
import { resolveBlocking, standInBlocks } from './blocking.js'
import { allocDefaultDomain, allocDefaultPaging, setupDefaultDomain } from './default-domain.js'
import { chooseDefaultType, driverWish, isUntrusted, settleConflict } from './default-type.js'
import { flushQueue, retireIova } from './flush-queue.js'
import { isAligned, map, syncMap, unwindMap } from './map.js'
import { isIdle, isTaken, mayGiveBack, returnToDefault, sharesOwner, takeOwnership } from './ownership.js'
import { pasidMembers, removePasid, setGroupPasid, unwindPasid } from './pasid-group.js'
import {
  attachPasid, canTakePasid, detachPasid, freeSlot, isOccupied, isPasid, isSamePasidDomain, pasidInRange, reserveSlot,
  reusesHandle,
} from './pasid.js'
import { abandonProbe, attachFirst, domainForNewMember } from './probe.js'
import { park, releaseDomainOf, releaseMember, removeMember } from './release.js'
import { isDirect, mapDirectRegions } from './reserved.js'
import {
  blockMember, blockPasids, blockRid, entersReset, leavesReset, restoreMember, restorePasids, restoreRid,
} from './reset.js'
import { findBond, globalPasid, pasidFits, spaceOf } from './sva.js'
import {
  attachMember, blocksDirect, isCurrent, liveDomain, pushToBlocking, recoveryRefuses, setMemberDomain, staysDeferred,
  switchGroup, switchedMembers, unwindSwitch,
} from './switch.js'
import { ensureGathered, sync, unmap, unmapFast } from './unmap.js'

export const coreSteps = {
  // Switching RIDs
  attachMember, blocksDirect, isCurrent, liveDomain, pushToBlocking, recoveryRefuses, setMemberDomain, staysDeferred,
  switchGroup, switchedMembers, unwindSwitch,
  // Attach and detach
  coreDomain, isCompatible, mayAttach, switchNofail,
  // Probe and release
  abandonProbe, attachFirst, domainForNewMember, park, releaseDomainOf, releaseMember, removeMember,
  // Default domains and reserved regions
  allocDefaultDomain, allocDefaultPaging, chooseDefaultType, driverWish, isDirect, isUntrusted, mapDirectRegions,
  settleConflict, setupDefaultDomain,
  // Ownership
  isIdle, isTaken, mayGiveBack, resolveBlocking, returnToDefault, sharesOwner, standInBlocks, takeOwnership,
  // Reset
  blockMember, blockPasids, blockRid, entersReset, leavesReset, restoreMember, restorePasids, restoreRid,
  // PASIDs and shared virtual addressing
  attachPasid, canTakePasid, detachPasid, findBond, freeSlot, globalPasid, isOccupied, isPasid, isSamePasidDomain,
  pasidFits, pasidInRange, pasidMembers, removePasid, reserveSlot, reusesHandle, setGroupPasid, spaceOf, unwindPasid,
  // Map and unmap
  ensureGathered, flushQueue, isAligned, map, retireIova, sync, syncMap, unmap, unmapFast, unwindMap,
} as const

export type CoreSteps = typeof coreSteps
