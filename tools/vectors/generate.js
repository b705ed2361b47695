// Makes the golden vectors from the layouts and models, each held by words from outside before it is written.
//
//   node generate.js [--check]     the packages must have been built; --check writes nothing, exit 1 where they differ
import { readFileSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { decodeVectors } from './decode-vectors.js'
import { lineVectors } from './line-vectors.js'
import { transitionVectors } from './transition-vectors.js'
import { walkVectors } from './walk-vectors.js'
import { workedVectors } from './worked-vectors.js'

export const VENDORS = ['vtd', 'amd', 'smmuv3', 'riscv']

const fileOf = (vendor) => fileURLToPath(new URL(`../../packages/vectors/${vendor}.json`, import.meta.url))

/** The vectors of a vendor as the text of its file: one vector a line, so that changes read well. */
export const generate = async (vendor) => {
  const vectors = [
    ...await decodeVectors(vendor), ...await workedVectors(vendor), ...await walkVectors(vendor), ...await transitionVectors(vendor),
    ...await lineVectors(vendor),
  ]
  const ids = vectors.map(({ id }) => id)
  const twice = ids.find((id, index) => ids.indexOf(id) !== index)
  if (twice !== undefined) throw new Error(`two vectors are called ${twice}`)
  return `{"schema":"iommu.vectors/1","vendor":"${vendor}","vectors":[\n${vectors.map((each) => JSON.stringify(each)).join(',\n')}\n]}\n`
}

/** What is committed. */
export const committed = (vendor) => readFileSync(fileOf(vendor), 'utf8')

if (process.argv[1]?.endsWith('generate.js') === true) {
  for (const vendor of VENDORS) {
    const text = await generate(vendor)
    if (!process.argv.includes('--check')) writeFileSync(fileOf(vendor), text)
    else if (text !== committed(vendor)) {
      process.stderr.write(`packages/vectors/${vendor}.json is not what the layouts and models say; npm run vectors writes it\n`)
      process.exitCode = 1
    }
  }
}
