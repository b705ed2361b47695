// Variants have names of their own, and name statements and backends that there are.
import { allStatements, opsMutants } from '@iommu/conformance'
import { coreVariants } from '@iommu/core/variants'
import { expect, test } from 'vitest'
import { backends } from '../src/backends.js'
import { variants } from '../src/variants/index.js'

test('variants are told apart, and break what there is to break', () => {
  const ids = [...opsMutants, ...variants, ...coreVariants].map(({ id }) => id)
  expect(ids.filter((id, index) => ids.indexOf(id) !== index)).toEqual([])
  const statements = new Set(allStatements.map(({ id }) => id))
  expect(variants.flatMap(({ breaks }) => breaks).filter((each) => !statements.has(each))).toEqual([])
  const kinds = new Set(backends.map(({ backend }) => backend))
  expect(variants.flatMap(({ on }) => on).filter((each) => !kinds.has(each))).toEqual([])
})
