// The golden vectors, as they are installed beside the command.
import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'

/** One question with its answer. */
export interface Vector {
  readonly id: string
  readonly kind: string
  readonly given: object
  readonly result: object
  readonly confirmedBy: readonly string[]
  readonly unconfirmed: readonly string[]
  readonly says?: string
}

export const VECTOR_VENDORS = ['vtd', 'amd', 'smmuv3', 'riscv'] as const
export const VECTOR_KINDS = ['decode', 'encode', 'walk', 'transition', 'line'] as const

/** All vectors of a vendor. */
export const vectorsOf = (vendor: (typeof VECTOR_VENDORS)[number]): readonly Vector[] => {
  const file = createRequire(import.meta.url).resolve(`@iommu/vectors/${vendor}.json`)
  return (JSON.parse(readFileSync(file, 'utf8')) as { readonly vectors: readonly Vector[] }).vectors
}
