// A statement: one rule of the contract as data, with the case that can fail.
import type { IommuOps, Manifest } from '@iommu/core'
import type { Backend } from './backend.js'
import type { Bench, BenchOptions } from './bench.js'

/** What a case is given. Every `bench` is fresh. */
export interface Case {
  readonly backend: Backend
  readonly manifest: Manifest
  bench(options?: BenchOptions): Bench
}

export interface Statement {
  /** "C-ATTACH-01". Ids are public names: never renumbered. */
  readonly id: string
  /** Whose obligation it is. */
  readonly obliges: 'core' | 'driver' | 'both'
  /** The rule, one sentence. */
  readonly says: string
  /** Where it comes from: the Linux 7.3.4 function, or the thread of May 2022. */
  readonly source: string
  /** Why the backend does not take part, or undefined where it does. Absent: every backend does. */
  readonly unless?: (manifest: Manifest, backend: Backend, ops: IommuOps) => string | undefined
  /** What the statement cannot be checked without; unavailable where the backend lacks it. */
  readonly needs?: 'adversary'
  readonly run: (t: Case) => void
}

/** "C-ATTACH-01" -> "ATTACH" */
export const groupOf = (id: string): string => id.split('-')[1] ?? id

export const withoutPasids = ({ maxPasids }: Manifest): string | undefined =>
  maxPasids === 0 ? 'not declared: PASIDs' : undefined

export const withPasids = ({ maxPasids }: Manifest): string | undefined =>
  maxPasids > 0 ? 'the backend declares PASIDs' : undefined

/** Neither a blocked domain nor an empty one that blocks. */
export const withoutBlock = ({ blocked, standInBlocks }: Manifest): string | undefined =>
  (blocked.rid || standInBlocks ? undefined : 'not declared: a blocked domain')

export const withoutBlockedDomain = ({ blocked }: Manifest): string | undefined =>
  (blocked.rid ? undefined : 'not declared: a blocked domain')

export const withOneTranslation = (_manifest: Manifest, { oneTranslation }: Backend): string | undefined =>
  (oneTranslation === true ? 'not declared: a translation for each device' : undefined)

export const withoutPaging = ({ paging }: Manifest): string | undefined => (paging.rid ? undefined : 'not declared: paging domains')
