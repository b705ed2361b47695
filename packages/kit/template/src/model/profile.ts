// Profiles: what the modelled hardware offers.

/** A piece of hardware. Every member has a default; see `defaultProfile`. */
export interface Profile {
  /** Width of physical addresses in bits. */
  readonly physicalBits: number
}

export const defaultProfile: Profile = { physicalBits: 40 }
