// The manifest: what the seven have in common, and what each declares of its own.
import { CONTRACT } from '@iommu/core'
import type { Manifest } from '@iommu/core'

const NOWHERE = { rid: false, pasid: false } as const
const ON_RIDS = { rid: true, pasid: false } as const

/** What differs from one kind of hardware to the next. */
export interface Declaration {
  readonly hardware: string
  readonly blocked: boolean
  readonly identity: boolean
  /** Whether an empty paging domain blocks. */
  readonly standInBlocks: boolean
  /** The page-table format; absent where there is none. */
  readonly format?: string
  readonly hitless?: readonly string[]
  readonly limits?: Readonly<Record<string, string>>
}

/** No hardware here has PASIDs, ATS, page requests or a second stage. */
export const declare = ({ hardware, blocked, identity, standInBlocks, format, hitless = [], limits = {} }: Declaration): Manifest =>
  Object.freeze({
    contract: CONTRACT,
    name: 'driver-legacy-nodefault',
    hardware,
    blocked: blocked ? ON_RIDS : NOWHERE,
    identity: identity ? ON_RIDS : NOWHERE,
    paging: format === undefined ? NOWHERE : ON_RIDS,
    sva: NOWHERE,
    maxPasids: 0,
    pasidsOutliveBlockedRid: false,
    standInBlocks,
    formats: format === undefined ? [] : [format],
    hitless,
    limits: Object.freeze({
      pasid: 'one translation for each requester: nothing in the hardware knows PASIDs',
      ...limits,
    }),
  })
