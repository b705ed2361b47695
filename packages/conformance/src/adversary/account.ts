// The account of adversarial mode on one backend: what was found, by which sentence, and what it took to look.
import { outcomeKey, outcomeText } from '@iommu/hardware'
import type { DmaRequest, Finding, Judgement, Verdict } from '@iommu/hardware'

/** One change that was watched. */
export interface Change {
  /** "identity to second-stage-4 on PASID 7". */
  readonly what: string
  readonly during: readonly string[]
  readonly after: readonly string[]
  readonly free: readonly string[]
  /** Other points of the device, and other addresses, that could be blocked meanwhile, or are not what they were. */
  readonly disturbed: readonly string[]
  /** For a switch: "identity>second-stage-4", and whether a block could be met in between that neither side is. */
  readonly pair?: string
  readonly interrupted: boolean
}

/** How invalidations were judged. */
export interface InvalidationCounts {
  readonly needed: number
  /** Needed, and dropping more than what was stale: counted among the needed ones too. */
  readonly tooWide: number
  readonly needless: number
  /** Needless as far as can be told, and demanded by the manual. */
  readonly mandated: number
}

/** What came of one part of the work. */
export interface Account {
  readonly changes: readonly Change[]
  /** Changes that the driver refused, which it may. */
  readonly refused: readonly string[]
  readonly copies: number
  readonly observations: number
  readonly invalidations: InvalidationCounts
  /** Changes with needless invalidations: "a device on X is released: 1 of 3". */
  readonly needless: readonly string[]
  /** Changes after which a kept copy differed from memory: a finding, not a failure. */
  readonly atRest: number
}

const hex = (value: number | bigint): string => `0x${value.toString(16)}`

const describeProbe = ({ kind, access, address, source, pasid }: DmaRequest): string =>
  `${kind === 'untranslated' ? access : `${kind} ${access}`} of ${hex(address)} by ${hex(source)}${pasid === undefined ? '' : ` PASID ${pasid}`}`

/** A finding as one line. */
const describeFinding = ({ step, says, probe }: Finding): string =>
  `${step}: ${probe === undefined ? says : `${describeProbe(probe)} may meet ${says}`}`

/** After so many wrong changes there is no need to look on, and what is never forgotten makes each look longer. */
const ENOUGH = 12

/** Collects changes into an account. */
export interface Ledger {
  readonly changes: Change[]
  /** Whether enough has been found wrong. */
  readonly hasEnough: boolean
  readonly refused: string[]
  /** Counts the invalidations of a change, once it is known what has been given back. */
  judge(what: string, judgements: readonly Judgement[]): void
  rest(findings: readonly Finding[]): void
  account(copies: number, observations: number): Account
}

export const createLedger = (): Ledger => {
  const changes: Change[] = []
  const refused: string[] = []
  const needless: string[] = []
  const invalidations = { needed: 0, tooWide: 0, needless: 0, mandated: 0 }
  let atRest = 0
  return {
    changes,
    get hasEnough() {
      const isWrong = ({ during, after, free, disturbed }: Change): boolean => [during, after, free, disturbed].some(({ length }) => length > 0)
      return changes.filter(isWrong).length >= ENOUGH
    },
    refused,
    judge(what, judgements) {
      const superfluous = judgements.filter(({ verdict }) => verdict === 'needless').length
      if (superfluous > 0) needless.push(`${what}: ${superfluous} of ${judgements.length}`)
      for (const { verdict, tooWide } of judgements) {
        invalidations[verdict]++
        if (verdict === 'needed' && tooWide > 0) invalidations.tooWide++
      }
    },
    rest(findings) {
      if (findings.length > 0) atRest++
    },
    account: (copies, observations) => ({ changes, refused, copies, observations, invalidations, needless, atRest }),
  }
}

/** A verdict as a change. `own`: the probes of the point and address that change; all others must not notice. */
export const changeOf = (
  what: string, { during, after, free, interrupted, probes, from, to }: Verdict, own: (probe: DmaRequest) => boolean,
  later: readonly Finding[] = [], pair?: string,
): Change => ({
  what,
  during: during.map(describeFinding),
  after: after.map(describeFinding),
  free: [...free, ...later].map(describeFinding),
  disturbed: [
    ...interrupted.filter((probe) => !own(probe)).map((probe) => `${describeProbe(probe)} may be blocked meanwhile`),
    ...probes.flatMap((probe, index) => {
      const [before, now] = [from[index], to[index]]
      if (own(probe) || before === undefined || now === undefined || outcomeKey(before) === outcomeKey(now)) return []
      return [`${describeProbe(probe)} met ${outcomeText(before)}, and meets ${outcomeText(now)}`]
    }),
  ],
  ...(pair === undefined ? {} : { pair }),
  // A request that a device has translated itself passes whatever the domain: its block is no domain's.
  interrupted: interrupted.some((probe) => own(probe) && probe.kind !== 'translated'),
})
