// A device is released: its tables are given back, and hardware must have forgotten them by then.
import type { Domain } from '@iommu/core'
import { addressesOf, formatsFor, identityState, pagingState } from '../states.js'
import type { Case } from '../statement.js'
import { changeOf, createLedger } from './account.js'
import type { Account } from './account.js'
import { bystanders, createScene, probesAt } from './scene.js'

/** From each kind of state of the requester id, with a PASID that is live. */
export const walkLeaving = (t: Case, ats: boolean): Account | undefined => {
  const ledger = createLedger()
  let copies = 0
  let observations = 0
  const { mapped: [address] } = addressesOf(t.backend)
  for (const format of [...formatsFor(t.manifest, 'rid'), undefined]) {
    const scene = createScene(t, ats)
    if (scene === undefined) return undefined
    const { adversary, bench, device } = scene
    if (format === undefined && !t.manifest.identity.rid) continue
    const { domain, name }: { domain: Domain; name: string } = format === undefined ? identityState(bench) : pagingState(bench, device, 1, format)
    domain.attachDev?.(device, undefined)
    scene.revive()
    adversary.track(...probesAt(scene, undefined, address), ...bystanders(scene, address))
    const { releaseDomain, releaseDevice } = bench.ops
    const verdict = adversary.watch(() => {
      releaseDomain?.attachDev?.(device, domain)
      releaseDevice?.(device)
    })
    ledger.rest(adversary.atRest())
    ledger.changes.push(changeOf(`a device on ${name} is released${ats ? ', ATS on' : ''}`, verdict, () => true, adversary.freedPages()))
    ledger.judge(`a device on ${name} is released`, adversary.invalidations())
    adversary.stop()
    copies += adversary.cost.copies
    observations += adversary.cost.observations
  }
  return ledger.account(copies, observations)
}
