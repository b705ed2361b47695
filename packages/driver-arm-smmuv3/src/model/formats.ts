// The table formats that an SMMU reads, by what the entries say.
import { armStage1, armStage2 } from '@iommu/page-table'
import type { Format } from '@iommu/page-table'
import type { GranuleShift } from '../tables/index.js'

/** What an entry says of its tables. */
export interface Shape {
  readonly stage: 1 | 2
  readonly granule: GranuleShift
  /** 64 less T0SZ. */
  readonly inputBits: number
  /** IPS or S2PS, or the SMMU's own output size where that is less. */
  readonly outputBits: number
  /** Stage 2: as S2SL0 says. Stage 1: 0, they follow from the width. */
  readonly levels: number
  /** Leaves without access flag fault. */
  readonly accessFaults: boolean
}

/** The format of a shape, or undefined where there is none: widths and start level do not fit. */
export type Formats = (shape: Shape) => Format | undefined

/** Formats are made once each. */
export const createFormats = (): Formats => {
  const known = new Map<string, Format | undefined>()
  const make = ({ stage, granule, inputBits, outputBits, levels, accessFaults }: Shape): Format | undefined => {
    const options = { granuleShift: granule, inputBits, addressBits: outputBits, hardwareAccess: !accessFaults }
    try {
      return stage === 1 ? armStage1(options) : armStage2({ ...options, levels })
    } catch (error) {
      if (error instanceof RangeError) return undefined
      throw error
    }
  }
  return (shape) => {
    const key = `${shape.stage} ${shape.granule} ${shape.inputBits} ${shape.outputBits} ${shape.levels} ${shape.accessFaults}`
    if (!known.has(key)) known.set(key, make(shape))
    return known.get(key)
  }
}
