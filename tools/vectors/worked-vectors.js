// Vectors of worked examples: words that were computed apart from this project and read by somebody else's structures.
import { readFileSync } from 'node:fs'
import { decodeEntry, listEntries } from '@iommu/inspect'

/** Whose structures have read them, by the driver whose tests hold the examples. */
const SOURCES = { vtd: ['driver-intel-vtd', 'qemu'], amd: ['driver-amd-vi', 'qemu'], smmuv3: ['driver-arm-smmuv3', 'qemu'], riscv: ['driver-riscv', 'model'] }

const examples = (driver) => JSON.parse(readFileSync(new URL(`../../packages/${driver}/test/fixtures/worked.json`, import.meta.url), 'utf8'))

/** Throws where a field has another value than in the example. */
const workedVector = (owner, { what, words, fields }, by, index) => {
  const decoded = decodeEntry(owner, words.map(BigInt))
  for (const [name, value] of Object.entries(fields)) {
    const found = decoded.fields.find((each) => each.name === name)?.value
    if (found === undefined || BigInt(found) !== BigInt(value)) throw new Error(`${owner.name}, ${what}: ${name} is ${found} here, ${value} in the example`)
  }
  return {
    id: `decode/${owner.name}#worked-${index + 1}`, kind: 'decode', says: what.replace(/^\d+[.:] /, ''),
    given: { entry: owner.name, words: decoded.words },
    result: { fields: Object.fromEntries(decoded.fields.map(({ name, value }) => [name, value])), reserved: decoded.reserved },
    confirmedBy: [by],
    // The reference model's examples name every field that is not zero; of the others nobody says so.
    unconfirmed: decoded.fields.filter(({ name, value }) => !(name in fields) && (by !== 'model' || BigInt(value) !== 0n)).map(({ name }) => name),
  }
}

export const workedVectors = async (vendor) => {
  const [driver, by] = SOURCES[vendor]
  const declared = new Map((await listEntries()).map((each) => [each.name, each]))
  // Counted by entry, so that an example that is added renames no other entry's.
  const counts = new Map()
  return examples(driver).flatMap((example) => {
    const owner = declared.get(example.entry)
    if (owner === undefined) return []
    const index = counts.get(owner.name) ?? 0
    counts.set(owner.name, index + 1)
    return [workedVector(owner, example, by, index)]
  })
}
