// Reruns a finding by the writes of a Linux function, on a model of its hardware.
import { classify, subjects } from '@iommu/driver-legacy-nodefault/history'
import type { Finding, Proof, Rerun } from './finding.js'

type BodyProof = Extract<Proof, { readonly by: 'body' }>

export const rerunBody = ({ id }: Finding, { driver, hazard }: BodyProof): Rerun => {
  const subject = subjects.find((each) => each.driver === driver)
  if (subject === undefined) throw new RangeError(`the proof of ${id} names ${driver}, which is not there`)
  const { hazards, steps, evidence, body, inferred } = classify(subject)
  const found = hazards.find(({ title }) => title.startsWith(hazard))
  if (found === undefined) return { reproduced: false, observed: [`${driver} has no hazard "${hazard}"`] }
  return {
    reproduced: found.shown && found.cured,
    observed: [`${found.title}: ${found.shown ? 'shown' : 'not shown'}, and ${found.cured ? 'gone' : 'not gone'} with the right steps`],
    film: [
      `${driver}: ${body}`,
      ...steps.map((step, index) => `  ${String(index + 1).padStart(2)}  ${step}`),
      `seen: ${evidence}`,
      ...(inferred === undefined ? [] : [`inferred: ${inferred}`]),
    ],
  }
}
