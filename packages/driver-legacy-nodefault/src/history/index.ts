// What detach_dev did in 2022, and what a blocked domain saves.
export { bitsOf, classify, subjects } from './classify.js'
export type { Bits, Classification, DecisiveBit, ShownHazard } from './classify.js'
export { withBypass } from './others.js'
export { compareOwnership, REQUESTERS } from './ownership.js'
export type { Claimed, Cost, OwnedBackend, OwnershipRow } from './ownership.js'
export { sun50iReleased } from './ten.js'
export type { Effect, Subject } from './subject.js'
