// How a walk can end, in words that no vendor owns; a vendor's model turns them into its fault codes.

/** A leaf was reached; what it allows is in `read`, `write`, `execute` and `user`. */
export const LEAF = 0
/** The entry at `tableFrame` and `index` is not present, or in Arm's words: its descriptor is invalid. */
export const ABSENT = 1
/** The entry has a bit set that hardware checks to be zero, or is of a kind that its level does not have. */
export const RESERVED = 2
/** The table at `tableFrame` is not memory. At the root's level it is the root pointer that is wrong. */
export const UNREADABLE = 3
/** The entry holds an address wider than physical addresses are, in formats that tell this apart (Arm). */
export const ADDRESS_SIZE = 4
/** The leaf has not been accessed yet, and hardware does not say so by itself (Arm's AF). */
export const ACCESS_FLAG = 5

export type WalkStatus =
  typeof LEAF | typeof ABSENT | typeof RESERVED | typeof UNREADABLE | typeof ADDRESS_SIZE | typeof ACCESS_FLAG
