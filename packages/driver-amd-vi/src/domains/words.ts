// The words of each domain state: a device table entry, and entries of a GCR3 table. Pure.
import { decode, encode } from '@iommu/bits'
import type { PageTag } from '../programming/invalidate.js'
import { usesGuestTables } from '../programming/plan.js'
import { deviceTableEntry, gcr3Entry, platformWords } from '../tables/index.js'
import type { GuestLevels, HostLevels } from '../tables/index.js'

/** Every device without PASIDs that passes through shares this domain id; 0 is never used. */
export const IDENTITY_DOMAIN_ID = 1

/** What of a device decides the words of its entry. */
export interface WordFacts {
  /** Whether the device may use ATS. */
  readonly ats: boolean
  /** Its GCR3 table; undefined where it needs none. */
  readonly gcr3: Gcr3Facts | undefined
}

export interface Gcr3Facts {
  /** Physical address of the top level. */
  readonly root: bigint
  readonly levels: 1 | 2 | 3
  /** The device's own: PASIDs of two devices are different address spaces. */
  readonly domainId: number
  /** Whether the device has PASIDs, or has the table for requests without PASID alone. */
  readonly pasids: boolean
  /** Whether requests without PASID can be those of PASID 0 (EFR.GIOSup). */
  readonly guestIo: boolean
  /** Levels of the guest tables that PASIDs have. */
  readonly pasidLevels: GuestLevels
}

/** Host (v1) tables, which requests without PASID alone can have. */
export interface HostState {
  readonly kind: 'host'
  readonly levels: HostLevels
  readonly root: bigint
  readonly domainId: number
}

/** Guest (v2) tables, behind an entry of the GCR3 table. */
export interface GuestState {
  readonly kind: 'guest'
  readonly levels: GuestLevels
  readonly root: bigint
}

/** What requests without PASID can be told to meet. */
export type PointState = { readonly kind: 'blocked' } | { readonly kind: 'identity' } | HostState | GuestState

/** The fields of GV and what it needs. Everything shares GuestPagingMode, so that guest tables of a device are alike. */
const guestFields = ({ root, levels, domainId }: Gcr3Facts, guestLevels: GuestLevels) => ({
  GV: 1, GLX: levels - 1, GCR3TRP: root, DomainID: domainId, GuestPagingMode: guestLevels === 5 ? 1 : 0,
} as const)

const fieldsOf = (state: PointState, { ats, gcr3 }: WordFacts): Parameters<typeof encode<typeof deviceTableEntry['fields']>>[1] => {
  const open = { V: 1, TV: 1, IR: 1, IW: 1, I: ats ? 1 : 0 }
  switch (state.kind) {
    // Mode 0 would pass requests without PASID through: they are PASID 0's instead, and GCR3[0] is absent. I stays, for the PASIDs.
    case 'blocked': return gcr3?.pasids === true && gcr3.guestIo ? { ...open, ...guestFields(gcr3, gcr3.pasidLevels), GIoV: 1 } : { V: 1 }
    case 'identity': return gcr3?.pasids === true
      ? { ...open, ...guestFields(gcr3, gcr3.pasidLevels) } : { ...open, DomainID: IDENTITY_DOMAIN_ID }
    case 'host': return { ...open, Mode: state.levels, HostPTRoot: state.root, DomainID: state.domainId }
    case 'guest': {
      if (gcr3?.guestIo !== true) throw new RangeError('guest tables for requests without PASID need a GCR3 table and GIoV')
      return { ...open, ...guestFields(gcr3, state.levels), GIoV: 1 }
    }
    default: return state satisfies never
  }
}

/** The device table entry of a state; what is not DMA's stays as it is in `current`. */
export const entryWords = (state: PointState, facts: WordFacts, current: readonly bigint[]): bigint[] =>
  encode(deviceTableEntry, fieldsOf(state, facts), platformWords(current))

/** An entry of a GCR3 table, of any level: a table's address, or nothing. */
export const gcr3Words = (address: bigint | undefined): bigint[] =>
  (address === undefined ? [0n] : encode(gcr3Entry, { V: 1, ADDR: address }))

/** Whether PASIDs are alive in a state of the requester id. */
export const leavesRoom = (state: PointState, { gcr3 }: WordFacts): boolean => {
  if (gcr3?.pasids !== true) return false
  switch (state.kind) {
    case 'identity': return true
    case 'blocked': return gcr3.guestIo
    case 'guest': return state.levels === gcr3.pasidLevels
    // GV with a host table is nested translation: what PASIDs have would go through that table.
    case 'host': return false
    default: return state satisfies never
  }
}

/** Whether requests without PASID go through GCR3[0]. */
export const usesSlot = (words: readonly bigint[]): boolean =>
  usesGuestTables(words) && decode(deviceTableEntry, words).GIoV === 1

/** GuestPagingMode, where the entry uses it. */
export const guestMode = (words: readonly bigint[]): number | undefined =>
  (usesGuestTables(words) ? decode(deviceTableEntry, words).GuestPagingMode : undefined)

/** Under which tag hardware caches what an entry itself leads to; what GCR3[0] leads to is the slot's. */
export const entryTag = (words: readonly bigint[]): PageTag | undefined => {
  const { V, TV, DomainID } = decode(deviceTableEntry, words)
  return V === 1 && TV === 1 && !usesSlot(words) ? { domainId: DomainID } : undefined
}
