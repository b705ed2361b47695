// Every ordered pair of states on a point, in a row, each switch watched step by step.
import { errorCode } from '@iommu/core'
import type { PagingDomain } from '@iommu/core'
import type { Finding, Verdict } from '@iommu/hardware'
import type { Answer } from '../bench.js'
import { addressesOf, blockedState, formatsFor, identityState, pagingState, ridOverPasids, svaState } from '../states.js'
import type { State } from '../states.js'
import type { Case } from '../statement.js'
import { changeOf, createLedger } from './account.js'
import type { Account } from './account.js'
import { circuit } from './circuit.js'
import { bystanders, createScene, OWN_PASID, probesAt, setOn, writeAt } from './scene.js'
import type { Scene } from './scene.js'

/** A kind of state. Domains of their own are made anew for each visit, so that ids and pages are used again. */
interface Kind {
  readonly name: string
  readonly make: () => State & { readonly end?: () => void }
  /** Whether two of a kind are two domains. */
  readonly many: boolean
}

const kindsOf = ({ bench, device }: Scene, where: 'rid' | 'pasid'): Kind[] => {
  const { manifest } = bench.ops
  let number = 0
  const blocked = manifest.blocked[where] ? blockedState(bench) : undefined
  const identity = manifest.identity[where] ? identityState(bench) : undefined
  const paging = (format: string): Kind => ({
    name: format,
    many: true,
    make() {
      const state = pagingState(bench, device, ++number, format, where === 'pasid')
      return { ...state, end: () => (state.domain as PagingDomain).free() }
    },
  })
  const sva = (): Kind => ({
    name: 'sva',
    many: true,
    make() {
      const state = svaState(bench, device, ++number)
      if (state === undefined) throw new RangeError('SVA is declared, and there is no domain of it')
      return {
        ...state,
        end() {
          state.domain.free?.()
          state.cpu.end()
        },
      }
    },
  })
  return [
    ...(blocked === undefined ? [] : [{ name: 'blocked', many: false, make: () => blocked }]),
    ...(identity === undefined ? [] : [{ name: 'identity', many: false, make: () => identity }]),
    ...formatsFor(manifest, where).map(paging),
    ...(where === 'pasid' && manifest.sva.pasid && svaState(bench, device, ++number) !== undefined ? [sva()] : []),
  ]
}

/** What a DMA meets, as the contract sees it. */
const answerOf = ({ to }: Verdict): Answer => (to[0]?.result === 'translated' ? to[0].address : 'blocked')

/** All switches of a point. undefined: the backend has no adversarial mode, no PASIDs, or no ATS. */
export const walkSwitches = (t: Case, where: 'rid' | 'pasid', ats: boolean): Account | undefined => {
  if (where === 'pasid' && t.manifest.maxPasids === 0) return undefined
  const scene = createScene(t, ats)
  if (scene === undefined) return undefined
  const { adversary, bench, device } = scene
  const { mapped: [address], unmapped } = addressesOf(t.backend)
  const pasid = where === 'pasid' ? OWN_PASID : undefined
  const own = [...probesAt(scene, pasid, address), writeAt(pasid, address), writeAt(pasid, unmapped)]
  const ledger = createLedger()

  const kinds = kindsOf(scene, where)
  // The requester id while a PASID changes: anything under which PASIDs can live.
  const under = where === 'pasid' ? ridOverPasids(bench, device, 100).domain : undefined
  under?.attachDev?.(device, undefined)
  scene.revive()
  adversary.track(...own, ...bystanders(scene, address), ...(under === undefined ? [] : probesAt(scene, undefined, address)))

  const order = circuit(kinds.length, new Set(kinds.flatMap(({ many }, index) => (many ? [index] : []))))
  let here = { kind: kinds[0] as Kind, state: (kinds[0] as Kind).make() }
  setOn(device, pasid, here.state.domain, undefined)
  for (const index of order.slice(1)) {
    if (ledger.hasEnough) break
    const kind = kinds[index] as Kind
    const state = kind.make()
    const what = `${here.state.name} to ${state.name}${pasid === undefined ? '' : ` on PASID ${pasid}`}${ats ? ', ATS on' : ''}`
    const marks = adversary.marks(...own)
    const change = (): void => setOn(device, pasid, state.domain, here.state.domain)
    const verdict = attempt(scene, change, () => {
      ledger.refused.push(what)
      // What cannot be had directly is had through blocked, and judged as one change.
      setOn(device, pasid, bench.blocked, here.state.domain)
      setOn(device, pasid, state.domain, bench.blocked)
    })
    ledger.rest(adversary.atRest())
    const left = here.state
    left.end?.()
    const given: Finding[] = [...adversary.freedPages(), ...(left.end === undefined ? [] : adversary.release(marks))]
    const expected = state.expected(address)
    const found = changeOf(what, verdict, (probe) => probe.pasid === pasid, given, `${here.kind.name}>${kind.name}`)
    ledger.changes.push(answerOf(verdict) === expected ? found
      : { ...found, after: [`return: ${shown(answerOf(verdict))}, and not ${shown(expected)}`, ...found.after] })
    ledger.judge(what, adversary.invalidations())
    here = { kind, state }
    scene.revive()
  }
  adversary.stop()
  return ledger.account(adversary.cost.copies, adversary.cost.observations)
}

const shown = (answer: Answer): string => (answer === 'blocked' ? 'blocked' : `0x${answer.toString(16)}`)

/** Watches a change; where it is refused once more without the live PASID, and then whatever `otherwise` does. */
const attempt = ({ adversary, ...scene }: Scene, change: () => void, otherwise: () => void): Verdict => {
  const refusable = (run: () => void): Verdict | undefined => {
    try {
      return adversary.watch(run)
    } catch (error) {
      if (errorCode(error) === undefined) throw error
      return undefined
    }
  }
  const first = refusable(change)
  if (first !== undefined) return first
  scene.bury()
  return refusable(change) ?? adversary.watch(otherwise)
}
