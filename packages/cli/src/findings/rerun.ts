// Reruns findings: each by its own proof.
import type { Finding, Rerun } from './finding.js'
import { rerunBody } from './rerun-body.js'
import { rerunVariant } from './rerun-variant.js'

/** Throws RangeError where a proof names what is not there. */
export const rerun = async (finding: Finding): Promise<Rerun> => {
  const { proof } = finding
  switch (proof.by) {
    case 'variant': return rerunVariant(finding, proof)
    case 'body': return rerunBody(finding, proof)
    case 'agreement': case 'suite': return (await import('./rerun-qemu.js')).rerunOnQemu(proof)
    case 'reading': return { reproduced: null, why: 'it was read, and not run', observed: [] }
    default: return proof satisfies never
  }
}
