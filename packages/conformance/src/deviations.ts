// Profiles: what another driver does otherwise than the contract says, as a report of its own.
import type { MutantResult } from './judge.js'
import { totalsOf } from './run.js'
import type { Report, Result } from './run.js'
import { allStatements } from './statements/index.js'

const resultOf = ({ id, driver, backend, breaks, caughtBy, caught, profile }: MutantResult): Result[] => {
  if (profile === undefined) return []
  const [claimed] = breaks as [string]
  const observed = caughtBy.find(({ statement }) => statement === claimed)
  const strangers = caughtBy.filter(({ statement }) => !breaks.includes(statement)).map(({ statement }) => statement)
  const reason = observed === undefined ? `${claimed} holds, and should not`
    : strangers.length > 0 ? `breaks more than it claims: ${strangers.join(', ')}` : observed.reason
  const { name, does, source } = profile
  return [{
    driver, backend, profile: name, machine: 'model', statement: claimed, title: allStatements.find((each) => each.id === claimed)?.says ?? '',
    status: caught ? 'passed' : 'failed', reason, deviation: { id, does, source },
  }]
}

/** Deviations that were judged, as results: passed where one breaks just what it claims, with what was observed. */
export const deviationReport = (mutants: readonly MutantResult[]): Report => {
  const results = mutants.flatMap(resultOf)
  return { totals: totalsOf(results, mutants.map(({ spent }) => spent)), results, kinds: [], notes: [] }
}
