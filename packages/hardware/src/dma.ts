// DMA: the request of a device, and what becomes of it.

/**
 * `untranslated`: an ordinary access; `translate`: an ATS translation request; `translated`: an access with an
 * address that ATS gave; `page-request`: a request to make a page present.
 */
export type DmaKind = 'untranslated' | 'translate' | 'translated' | 'page-request'

export interface DmaRequest {
  /** The 16-bit requester id. */
  readonly source: number
  /** Absent: a request without PASID. */
  readonly pasid?: number
  readonly kind: DmaKind
  readonly address: bigint
  readonly access: 'read' | 'write'
  readonly privileged?: boolean
  readonly execute?: boolean
}

/** Why a DMA was blocked, in the vendor's own codes. */
export interface Fault {
  readonly code: number
  readonly name: string
  /** Whether hardware writes it to its fault log; some entries ask for silence. */
  readonly recorded: boolean
}

export interface Translated {
  readonly result: 'translated'
  readonly address: bigint
  /** The tag under which it is cached, and attributes that the path gave: a right address with wrong ones is wrong. */
  readonly tag: string
  readonly attributes: Readonly<Record<string, string | number | boolean>>
  readonly permissions: { readonly read: boolean; readonly write: boolean }
  /** Bytes around the address for which this answer holds. */
  readonly pageSize: bigint
}

export interface Blocked {
  readonly result: 'blocked'
  /** Absent where hardware aborts without a reason of its own. */
  readonly fault?: Fault
}

export type Outcome = Translated | Blocked

/** One line that is equal for equal outcomes; faults are left out, since blocked is blocked. */
export const outcomeKey = (outcome: Outcome): string =>
  outcome.result === 'blocked'
    ? 'blocked'
    : `0x${outcome.address.toString(16)} ${outcome.tag} ${JSON.stringify(outcome.attributes)}`

const attributeText = ([name, value]: readonly [string, string | number | boolean]): string =>
  `${name} ${value === true ? 'yes' : value === false ? 'no' : value}`

/** The same for people: "0x8000 domain 1 (stage first, snoop no)". */
export const outcomeText = (outcome: Outcome): string => {
  if (outcome.result === 'blocked') return 'blocked'
  const { address, tag, attributes } = outcome
  const said = Object.entries(attributes).map(attributeText).join(', ')
  return `0x${address.toString(16)} ${tag}${said === '' ? '' : ` (${said})`}`
}

/** One entry that a walk read. */
export interface Step {
  /** The layout's name: "vtd.context". */
  readonly entry: string
  /** Physical address of the entry; undefined for a register or a cached copy. */
  readonly address: bigint | undefined
  readonly words: readonly bigint[]
  /** What it said, for people. */
  readonly note: string
}
