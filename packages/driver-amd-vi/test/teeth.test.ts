// Every statement is known to be able to fail: some mutant names it first.
import { allStatements, opsMutants } from '@iommu/conformance'
import { coreVariants } from '@iommu/core/variants'
import { expect, test } from 'vitest'
import { variants } from '../src/variants/index.js'

test('every statement has a mutant that must fail it', () => {
  const broken = new Set([...opsMutants, ...variants, ...coreVariants].map(({ breaks }) => breaks[0]))
  expect(allStatements.map(({ id }) => id).filter((id) => !broken.has(id))).toEqual([])
})

test('ids are unique, of statements and of mutants, and mutants name statements that there are or will be', () => {
  const ids = allStatements.map(({ id }) => id)
  expect(new Set(ids).size).toBe(ids.length)
  const mutants = [...opsMutants, ...variants, ...coreVariants].map(({ id }) => id)
  expect(mutants.filter((id, index) => mutants.indexOf(id) !== index)).toEqual([])
  const named = new Set([...opsMutants, ...variants].flatMap(({ breaks }) => breaks))
  expect([...named].filter((id) => !ids.includes(id))).toEqual([])
})
