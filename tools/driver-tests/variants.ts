// A driver's variants: told apart from all other mutants, and breaking what there is to break.
import { allStatements, opsMutants } from '@iommu/conformance'
import { coreVariants } from '@iommu/core/variants'
import { expect, test } from 'vitest'

interface Variant {
  readonly id: string
  readonly breaks: readonly string[]
  readonly on?: readonly string[]
}

/**
 * `backends`: the kinds of hardware that the driver's mutants are judged on. `notAsked`: statements that are about what none
 * of this hardware has; each of the others has a mutant that breaks it first.
 */
export const variantsAreSound = (
  variants: readonly Variant[], backends: readonly { readonly backend: string }[], notAsked: readonly string[] = [],
): void => {
  const mutants: readonly Variant[] = [...opsMutants, ...variants, ...coreVariants]
  const statements = allStatements.map(({ id }) => id)
  const twice = (ids: readonly string[]): string[] => ids.filter((id, index) => ids.indexOf(id) !== index)

  test('ids are unique, of statements and of mutants', () => {
    expect([twice(statements), twice(mutants.map(({ id }) => id))]).toEqual([[], []])
  })
  test('mutants break statements that there are, on hardware that there is', () => {
    expect(mutants.flatMap(({ breaks }) => breaks).filter((id) => !statements.includes(id))).toEqual([])
    const kinds = backends.map(({ backend }) => backend)
    expect(variants.flatMap(({ on = [] }) => on).filter((each) => !kinds.includes(each))).toEqual([])
  })
  test('every statement that is asked has a mutant that must fail it', () => {
    const broken = mutants.map(({ breaks }) => breaks[0])
    expect(statements.filter((id) => !broken.includes(id))).toEqual(notAsked)
  })
}
