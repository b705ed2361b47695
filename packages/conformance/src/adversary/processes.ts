// A process whose tables a PASID walks: it maps, unmaps and ends, each watched step by step.
import { addressesOf, ridOverPasids, svaState } from '../states.js'
import type { Case } from '../statement.js'
import { changeOf, createLedger } from './account.js'
import type { Account } from './account.js'
import { createScene, OWN_PASID, probesAt } from './scene.js'

const MORE = 0x700_0000n

/** undefined: the backend has no adversarial mode, no SVA, or no ATS. */
export const walkProcesses = (t: Case, ats: boolean): Account | undefined => {
  const scene = createScene(t, ats)
  const state = scene && svaState(scene.bench, scene.device, 1)
  if (scene === undefined || state === undefined) return undefined
  const { adversary, bench, device } = scene
  const { mapped: [address, stays], unmapped } = addressesOf(t.backend)
  const ledger = createLedger()
  ridOverPasids(bench, device, 100).domain.attachDev?.(device, undefined)
  state.domain.setDevPasid?.(device, OWN_PASID, undefined)
  adversary.track(...[address, stays, unmapped].flatMap((each) => probesAt(scene, OWN_PASID, each)))
  const change = (what: string, concerns: readonly bigint[], run: () => void): void => {
    const verdict = adversary.watch(run)
    ledger.rest(adversary.atRest())
    ledger.changes.push(changeOf(`${what}${ats ? ', ATS on' : ''}`, verdict, (probe) => concerns.includes(probe.address), adversary.freedPages()))
    ledger.judge(what, adversary.invalidations())
  }
  change('a process maps a page', [unmapped], () => state.cpu.map(unmapped, MORE))
  change('a process unmaps a page', [address], () => state.cpu.unmap(address))
  change('a process unmaps the last page of a table', [unmapped], () => state.cpu.unmap(unmapped))
  change('a process ends', [address, stays, unmapped], () => state.cpu.end())
  change('the PASID of a process that ended is blocked', [address, stays, unmapped], () =>
    bench.blocked.setDevPasid?.(device, OWN_PASID, state.domain))
  adversary.stop()
  return ledger.account(adversary.cost.copies, adversary.cost.observations)
}
