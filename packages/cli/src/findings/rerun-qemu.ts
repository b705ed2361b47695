// Reruns a finding on QEMU: model and QEMU in the same state, or a statement on a board. Loaded only for findings of QEMU.
import { runSuite } from '@iommu/conformance'
import { findInstallation, HOW_TO_GET, REFERENCE_SERIES } from '@iommu/machine-qemu'
import type { Installation } from '@iommu/machine-qemu'
import { amdSubject } from '../agree/amd/subject.js'
import { armSubjects } from '../agree/arm/subject.js'
import { applies, createPair, onBoard, reproduces } from '../agree/compare.js'
import { riscvSubjects } from '../agree/riscv/subject.js'
import { reproduceStale } from '../agree/stale.js'
import { answerLine, probeLine, whereText } from '../agree/subject.js'
import type { Subject } from '../agree/subject.js'
import { vtdSubjects } from '../agree/vtd/subject.js'
import { qemuBackends } from '../qemu/backends.js'
import { exceptions } from '../qemu/exceptions.js'
import type { Proof, Rerun } from './finding.js'

type Agreement = Extract<Proof, { readonly by: 'agreement' }>
type Suite = Extract<Proof, { readonly by: 'suite' }>

/** One listed deviation, tried in its smallest state. */
interface Tried {
  readonly id: string
  readonly shows: boolean
  readonly film: readonly string[]
}

/** A target of `iommu agree`, whatever its plans look like. */
interface Listed {
  readonly target: string
  /** All deviations that are listed. */
  readonly deviations: readonly string[]
  /** Tries those that this QEMU is said to have; undefined where QEMU cannot be the target. */
  reproduce(installation: Installation, ids: readonly string[]): readonly Tried[] | undefined
}

const hex = (value: number | bigint): string => `0x${value.toString(16)}`

const listed = <Plan extends { readonly class: string }>(subject: Subject<Plan>): Listed => ({
  target: subject.target,
  deviations: [...subject.deviations, ...subject.stale?.deviations ?? []].map(({ id }) => id),
  reproduce: (installation, ids) => onBoard<readonly Tried[] | undefined>(subject, installation, (qemu) => {
    const pair = createPair(subject, qemu)
    const isMeant = (each: { readonly id: string; readonly series?: readonly string[] }): boolean =>
      ids.includes(each.id) && applies(each, installation.series)
    const states = subject.deviations.filter(isMeant).map((deviation): Tried => {
      const { shows, found, said } = reproduces(pair, deviation)
      const { plan, probes } = deviation.reproduce()
      return {
        id: deviation.id,
        shows,
        film: [
          ...subject.describe(plan).map((line) => `  ${line}`),
          ...probes.map((each) => `  ${probeLine(each)}`),
          ...(said === undefined ? [] : [`    by the specification: ${answerLine(said)}`]),
          ...(found === undefined ? [] : [`    by QEMU: ${answerLine(found)}`]),
        ],
      }
    })
    const cases = reproduceStale(pair).filter(({ deviation }) => isMeant(deviation)).map(({ deviation, shows, found, allowed }): Tried => {
      const { plan, name, probe, stores } = deviation.reproduce()
      return {
        id: deviation.id,
        shows,
        film: [
          ...subject.describe(plan).map((line) => `  ${line}`),
          `  ${probeLine(probe)}`,
          `  ${name}`,
          ...stores.map(([address, word]) => `  ${hex(address)} := ${hex(word)}`),
          `  ${probeLine(probe)}`,
          `    by the specification: ${allowed.map(whereText).join(' or ')}`,
          `    by QEMU: ${whereText(found)}`,
        ],
      }
    })
    return [...states, ...cases]
  }, () => undefined),
})

/** Every target whose deviations are listed one by one. */
export const listedTargets: readonly Listed[] = [
  ...vtdSubjects.map((each) => listed(each)), listed(amdSubject), ...armSubjects.map((each) => listed(each)),
  ...riscvSubjects.map((each) => listed(each)),
]

const rerunAgreement = ({ targets, deviations }: Agreement, installation: Installation): Rerun => {
  const tried = new Map<string, Tried>()
  for (const { target, reproduce } of listedTargets) {
    if (!targets.includes(target)) continue
    // In the first target that it shows in.
    for (const each of reproduce(installation, deviations.filter((id) => tried.get(id)?.shows !== true)) ?? []) tried.set(each.id, each)
  }
  const all = deviations.flatMap((id) => tried.get(id) ?? [])
  if (all.length === 0) return { reproduced: null, why: `QEMU ${installation.version} is not said to do this`, observed: [] }
  return {
    reproduced: all.every(({ shows }) => shows),
    observed: all.map(({ id, shows }) => `${id}: ${shows ? 'shows' : 'does not show'}`),
    film: all.flatMap(({ id, film }) => [id, ...film]),
  }
}

const rerunSuite = ({ driver, board, deviation, statement }: Suite, installation: Installation): Rerun => {
  const exception = exceptions.find((each) => each.deviation === deviation && each.boards.includes(board)
    && each.statements.includes(statement) && each.series?.includes(installation.series) !== false)
  const found = qemuBackends(driver, installation).find((each) => each.board.name === board)
  if (exception === undefined || found === undefined) return { reproduced: null, why: `QEMU ${installation.version} is not said to do this`, observed: [] }
  if (found.lack !== undefined) return { reproduced: null, why: found.lack, observed: [] }
  try {
    const { results: [result] } = runSuite(found.backend, { only: [statement], machine: `QEMU ${installation.version}` })
    const shows = result?.status === 'failed' && exception.shows.test(result.reason ?? '')
    return {
      reproduced: shows,
      observed: [`${statement} on ${found.backend.backend}: ${result?.reason ?? result?.status ?? 'nothing'}`],
      film: [`${driver} on ${found.backend.backend}`, `  ${result?.title ?? ''}`, `    by QEMU: ${result?.reason ?? result?.status ?? ''}`],
    }
  } finally {
    found.stop()
  }
}

/** On the newest QEMU of the reference series; null, and why, where there is none. */
export const rerunOnQemu = (proof: Agreement | Suite): Rerun => {
  const series = proof.by === 'agreement' ? proof.series : undefined
  const installation = findInstallation(series)
  if (installation === undefined) return { reproduced: null, why: `there is no QEMU ${series ?? REFERENCE_SERIES} here: ${HOW_TO_GET}`, observed: [] }
  return proof.by === 'agreement' ? rerunAgreement(proof, installation) : rerunSuite(proof, installation)
}
