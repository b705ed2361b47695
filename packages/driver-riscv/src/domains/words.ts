// The words of each domain state, for a device context and for a process context, and of what leads to process contexts.
// Pure.
import { encode } from '@iommu/bits'
import type { PointState } from '../devices/state.js'
import { baseDeviceContext, deviceContext, pagingMode, processContext, processDirectoryEntry } from '../tables/index.js'
import type { DirectoryLevels, Levels } from '../tables/index.js'

/** What of a device decides the words. */
export interface WordFacts {
  readonly point: 'device' | 'process'
  readonly ats: boolean
  /** Words of a device context: 4 in the base format, 8 in the extended one. */
  readonly contextWords: number
}

/** What of a page table decides the words. */
export interface TableFacts {
  readonly secondStage: boolean
  readonly levels: Levels
  readonly root: bigint
  /** PSCID, or GSCID of a second stage. */
  readonly id: number
}

const device = (words: number, values: Parameters<typeof encode<typeof baseDeviceContext.fields>>[1]): PointState =>
  (words === 4 ? encode(baseDeviceContext, values) : encode(deviceContext, values))

const allows = (ats: boolean): { readonly V: 1; readonly EN_ATS: 0 | 1 } => ({ V: 1, EN_ATS: ats ? 1 : 0 })

/** Both stages bare. With EN_ATS translation requests are answered too. */
export const identityState = ({ point, ats, contextWords }: WordFacts): PointState =>
  (point === 'process' ? encode(processContext, { V: 1 }) : device(contextWords, allows(ats)))

/** Translation by a page table. A second stage is the device context's, never a process context's. */
export const pagingState = ({ point, ats, contextWords }: WordFacts, { secondStage, levels, root, id }: TableFacts): PointState => {
  if (point === 'process') {
    return encode(processContext, { V: 1, PSCID: id, FSC_MODE: pagingMode(levels), FSC_PPN: root })
  }
  return device(contextWords, secondStage
    ? { ...allows(ats), IOHGATP_MODE: pagingMode(levels), GSCID: id, IOHGATP_PPN: root }
    : { ...allows(ats), PSCID: id, FSC_MODE: pagingMode(levels), FSC_PPN: root })
}

/** What decides a device context that leads to process contexts. */
export interface DirectoryFacts {
  readonly root: bigint
  readonly levels: DirectoryLevels
  readonly ats: boolean
  readonly words: number
}

/** PDTV with DPE: requests without PASID are those of process id 0. */
export const directoryState = ({ root, levels, ats, words }: DirectoryFacts): PointState =>
  device(words, { ...allows(ats), PDTV: 1, DPE: 1, FSC_MODE: levels, FSC_PPN: root })

/** An entry of a directory that leads to a table. Those of the device directory are of the same form. */
export const directoryWord = (table: bigint): bigint => encode(processDirectoryEntry, { V: 1, PPN: table })[0] as bigint
