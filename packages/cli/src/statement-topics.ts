// Conformance ids as topics of `explain`: what the statement demands, where it comes from, and what breaks it. The suite
// and the drivers' mutants are loaded when an id is asked for, and not before.
import type { Statement } from '@iommu/conformance'
import { InputError, nearest } from '@iommu/inspect'
import type { Explained, TopicSource } from '@iommu/inspect'
import { driverNames, loadDriver } from './driver-modules.js'
import { statementFixes } from './statement-fixes.js'

const OBLIGES: Readonly<Record<Statement['obliges'], string>> = {
  core: 'the core layer, so that no driver has to', driver: 'every driver', both: 'the core layer and every driver',
}
/** Mutants that are listed one by one. */
const LISTED = 8

interface Broken {
  readonly id: string
  readonly title: string
  readonly part: string
  readonly breaks: readonly string[]
  readonly profile?: { readonly name: string; readonly does: string; readonly source: string }
}

/** Everything that is known to break some statement. */
const everyMutant = async (): Promise<readonly Broken[]> => {
  const [{ opsMutants }, { coreVariants }, ...drivers] = await Promise.all([
    import('@iommu/conformance'), import('@iommu/core/variants'), ...driverNames.map(loadDriver),
  ])
  return [
    ...coreVariants.map((each) => ({ ...each, part: 'core' })),
    ...opsMutants.map((each) => ({ ...each, part: 'any driver' })),
    ...drivers.flatMap(({ variants }, index) => variants.map((each) => ({ ...each, part: driverNames[index] as string }))),
  ]
}

const mutantRows = (id: string, mutants: readonly Broken[]): (readonly [string, string])[] => {
  const breaking = mutants.filter(({ breaks }) => breaks.includes(id))
  // Those that are made to break this very statement come first.
  const sorted = [...breaking.filter(({ breaks }) => breaks[0] === id), ...breaking.filter(({ breaks }) => breaks[0] !== id)]
  const plain = sorted.filter(({ profile }) => profile === undefined)
  return [
    ...sorted.flatMap(({ part, profile, breaks }) =>
      (profile === undefined || breaks[0] !== id ? [] : [['linux', `${profile.name}, ${part}: ${profile.does} (${profile.source})`] as const])),
    ...plain.slice(0, LISTED).map(({ id: mutant, part, title, breaks }) =>
      ['mutant', `${mutant} (${part}): ${title}${breaks[0] === id ? '' : `; made for ${breaks[0] as string}`}`] as const),
    ...(plain.length > LISTED ? [['mutant', `and ${plain.length - LISTED} more: iommu conform --mutants`] as const] : []),
  ]
}

const itemOf = (
  { id, obliges, says, source, needs }: Statement, group: string, mutants: readonly Broken[],
): Explained => ({
  kind: 'statement', input: id, count: 1, name: id, meaning: says,
  about: [
    ['binds', OBLIGES[obliges]],
    ['group', group],
    ['from', source],
    ...(needs === undefined ? [] : [['needs', 'a machine whose hardware looks at every moment: the models have it, QEMU has not'] as const]),
    ...mutantRows(id, mutants),
    ...(statementFixes[id] === undefined ? [] : [['fix', statementFixes[id]] as const]),
  ],
  next: [`iommu conform --only ${id}`],
})

/** Looks up "C-PASID-03"; capitals do not matter. Throws InputError for an id that is almost one. */
export const statementTopics: TopicSource = {
  speaks: /^C-[A-Z0-9]{1,12}-\d{1,3}$/i,
  async explain(name) {
    const { allStatements, groupOf, subjects } = await import('@iommu/conformance')
    const id = name.toUpperCase()
    const statement = allStatements.find((each) => each.id === id)
    if (statement === undefined) {
      const near = nearest(id, allStatements.map((each) => each.id))
      throw new InputError({
        file: 'the arguments', place: 'the id of a statement', found: `"${name}"`,
        expected: near === undefined ? 'a known one' : `a known one (did you mean ${near}?)`,
      })
    }
    const group = groupOf(id)
    const others = allStatements.filter((each) => groupOf(each.id) === group).length - 1
    const about = subjects[group] === undefined ? group : `${group}, ${subjects[group]}`
    return [itemOf(statement, `${about}; it has ${others} other ${others === 1 ? 'statement' : 'statements'}`, await everyMutant())]
  },
}
