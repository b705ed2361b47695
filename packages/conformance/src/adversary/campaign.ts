// The campaign: adversarial mode on one backend, part by part, each worked out when a statement first asks for it.
import type { Backend } from '../backend.js'
import type { Case } from '../statement.js'
import type { Account, Change } from './account.js'
import { walkLeaving } from './leaving.js'
import { walkPages } from './pages.js'
import { walkProcesses } from './processes.js'
import { walkSwitches } from './switches.js'
import { walkUnits } from './units.js'

const walks = {
  'requester id': (t: Case, ats: boolean) => walkSwitches(t, 'rid', ats),
  'PASID': (t: Case, ats: boolean) => walkSwitches(t, 'pasid', ats),
  'pages': walkPages,
  'units': walkUnits,
  'processes': walkProcesses,
  'leaving': walkLeaving,
} as const satisfies Readonly<Record<string, (t: Case, ats: boolean) => Account | undefined>>

export type Part = keyof typeof walks
export const PARTS = Object.keys(walks) as readonly Part[]

/** What adversarial mode took and said on one backend, beside the statements. */
export interface CampaignTotals {
  readonly changes: number
  readonly copies: number
  readonly observations: number
  readonly invalidations: { readonly needed: number; readonly tooWide: number; readonly needless: number; readonly mandated: number }
  /** Changes with needless invalidations. */
  readonly needless: readonly string[]
  readonly atRest: number
  readonly refused: readonly string[]
  /** Switches that no step interrupts, and that the manifest does not declare hitless. */
  readonly undeclaredHitless: readonly string[]
}

type Known = Map<string, { readonly account: Account | undefined } | { readonly error: unknown }>

/** By backend, and thereby by driver: a broken driver is a backend of its own. */
const campaigns = new WeakMap<Backend, Known>()

const knownOf = (backend: Backend): Known => {
  let known = campaigns.get(backend)
  if (known === undefined) campaigns.set(backend, (known = new Map()))
  return known
}

/** The account of a part; undefined where the backend cannot. Throws what the part threw, each time. */
export const accountOf = (t: Case, part: Part, ats = false): Account | undefined => {
  const known = knownOf(t.backend)
  const key = `${part}${ats ? ', ATS' : ''}`
  let found = known.get(key)
  if (found === undefined) {
    try {
      found = { account: walks[part](t, ats) }
    } catch (error) {
      found = { error }
    }
    known.set(key, found)
  }
  if ('error' in found) throw found.error
  return found.account
}

/** Pairs of a switch that were not interrupted on any visit. */
const hitlessPairs = (changes: readonly Change[]): string[] => {
  const pairs = new Map<string, boolean>()
  for (const { pair, interrupted } of changes) {
    if (pair !== undefined) pairs.set(pair, (pairs.get(pair) ?? true) && !interrupted)
  }
  return [...pairs].filter(([pair, hitless]) => hitless && !pair.split('>').includes('blocked')).map(([pair]) => pair)
}

/** What has been worked out so far on a backend. undefined: nothing. */
export const campaignTotals = (backend: Backend, declared: readonly string[]): CampaignTotals | undefined => {
  const known = [...(campaigns.get(backend) ?? [])]
  const accounts = known.flatMap(([, each]) => ('account' in each && each.account !== undefined ? [each.account] : []))
  if (accounts.length === 0) return undefined
  const sum = (pick: (account: Account) => number): number => accounts.reduce((total, each) => total + pick(each), 0)
  const rid = known.flatMap(([key, each]) => (key.startsWith('requester id') && 'account' in each ? each.account?.changes ?? [] : []))
  return {
    changes: sum(({ changes }) => changes.length),
    copies: sum(({ copies }) => copies),
    observations: sum(({ observations }) => observations),
    invalidations: {
      needed: sum(({ invalidations }) => invalidations.needed),
      tooWide: sum(({ invalidations }) => invalidations.tooWide),
      needless: sum(({ invalidations }) => invalidations.needless),
      mandated: sum(({ invalidations }) => invalidations.mandated),
    },
    needless: accounts.flatMap(({ needless }) => needless),
    atRest: sum(({ atRest }) => atRest),
    refused: accounts.flatMap(({ refused }) => refused),
    undeclaredHitless: hitlessPairs(rid).filter((pair) => !declared.includes(pair)),
  }
}
