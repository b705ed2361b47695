// Vectors of fault lines: what a kernel wrote; who, where, how and with which code.
import { explain } from '@iommu/inspect'
import { outsideLines } from './outside.js'

const MEMBERS = ['vendor', 'device', 'pasid', 'address', 'access', 'code', 'domainId']

export const lineVectors = async (vendor) => Promise.all(outsideLines(vendor).map(async ({ line, expected, confirmedBy }, index) => {
  const { items: [item] } = await explain(line)
  const found = Object.fromEntries(MEMBERS.flatMap((name) => (item?.[name] === undefined ? [] : [[name, item[name]]])))
  for (const [name, value] of Object.entries(expected)) {
    if (found[name] !== value) throw new Error(`${line}: ${name} is ${found[name]} here, expected ${value}`)
  }
  return {
    id: `line/${vendor}#${index + 1}`, kind: 'line', given: { line }, result: found, confirmedBy,
    unconfirmed: Object.keys(found).filter((name) => !(name in expected)),
  }
}))
