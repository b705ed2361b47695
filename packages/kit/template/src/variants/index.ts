// Variants: the driver with one member of its pure half exchanged, so that it breaks in one named way.
import type { IommuOps } from '@iommu/core'
import type { TestMachine } from '@iommu/hardware'
import { driverOver } from '../backends.js'
import { programming } from '../programming/index.js'
import type { Programming } from '../programming/index.js'

/** The shape that @iommu/conformance takes. */
export interface AcmeVariant {
  readonly id: string
  readonly title: string
  /** The first statement must fail; none outside of the list may. */
  readonly breaks: readonly string[]
  createDriver(machines: readonly TestMachine[], setup: { readonly warn: (sentence: string) => void }): IommuOps
}

const variant = (id: string, title: string, breaks: readonly string[], change: Partial<Programming>): AcmeVariant => ({
  id,
  title,
  breaks,
  createDriver: (machines, { warn }) => driverOver(machines, warn, { programming: { ...programming, ...change } }),
})

export const variants: readonly AcmeVariant[] = [
  variant('opens-instead', 'whatever an entry is to say, it is made valid', [
    'C-BLOCK-04', 'C-ATTACH-04', 'C-ATTACH-17', 'C-BLOCK-01', 'C-BLOCK-02', 'C-BLOCK-03', 'C-BLOCK-11',
  ], { planEntry: () => [{ do: 'store', index: 0, value: 1n }] }),
]
