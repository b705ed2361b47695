// Vectors of entries: words to fields, and fields to words.
import { encode } from '@iommu/bits'
import { decodeEntry, listEntries } from '@iommu/inspect'
import { outsideField, outsideWords } from './outside.js'

const runsEqual = (one, other) => {
  const sorted = (runs) => JSON.stringify([...runs].map(([high, low]) => [high, low]).sort((a, b) => b[0] - a[0]))
  return sorted(one) === sorted(other)
}

/** Who outside gives this field these bits and this value. Throws where somebody outside gives it another value. */
const heldBy = (field, value, vector, fields) => {
  const [name, known] = outsideField(fields, field.name, field.alias) ?? []
  if (name === undefined || known.composite === true) return []
  const said = vector.fields[name]
  if (said === undefined) return []
  if ((value & BigInt(known.valueMask)) !== BigInt(said)) {
    // Outside assembles some values otherwise (a page number where we give an address); the bits decide then.
    if (runsEqual(known.bits, field.runs)) throw new Error(`${vector.id}: ${field.name} is 0x${value.toString(16)} here, ${said} outside`)
    return []
  }
  return known.source === 'both' ? ['linux', 'qemu'] : [known.source]
}

/** Values as JSON has them. */
const plainFields = (fields) => Object.fromEntries(fields.map(({ name, value }) => [name, value]))

const decodeVector = (owner, vector, fields) => {
  const decoded = decodeEntry(owner, vector.words.map(BigInt))
  const held = decoded.fields.map(({ name, value }) =>
    ({ name, by: heldBy({ name, ...owner.fields[name] }, BigInt(value), vector, fields) }))
  return {
    id: `decode/${vector.id}`, kind: 'decode',
    given: { entry: owner.name, words: decoded.words },
    result: { fields: plainFields(decoded.fields), reserved: decoded.reserved },
    confirmedBy: [...new Set(held.flatMap(({ by }) => by))].sort(),
    unconfirmed: held.filter(({ by }) => by.length === 0).map(({ name }) => name),
  }
}

/** The same words from their fields, reserved bits left out. */
const encodeVector = (owner, { id, given, result, confirmedBy, unconfirmed }) => ({
  id: id.replace('decode/', 'encode/'), kind: 'encode',
  given: { entry: given.entry, fields: result.fields },
  result: { words: wordsOf(owner, result.fields) },
  confirmedBy, unconfirmed,
})

const wordsOf = (owner, fields) => encode(owner, Object.fromEntries(Object.entries(fields).map(([name, value]) => {
  const { kind } = owner.fields[name]
  return [name, kind === 'address' || kind === 'wide' || BigInt(value) > BigInt(Number.MAX_SAFE_INTEGER) ? BigInt(value) : Number(value)]
}))).map((word) => `0x${word.toString(16).padStart(owner.wordBits / 4, '0')}`)

/** What outside calls entries otherwise. */
const OTHER_NAMES = { 'riscv.ddte': 'riscv.ddt' }

/** One decode vector for each words from outside whose entry is declared, and one encode vector for each entry. */
export const decodeVectors = async (vendor) => {
  const { entries, vectors } = outsideWords(vendor)
  const declared = new Map((await listEntries()).map((each) => [each.name, each]))
  const decoded = vectors.flatMap((vector) => {
    const owner = declared.get(vector.entry) ?? declared.get(OTHER_NAMES[vector.entry])
    if (owner === undefined || vector.words.length * 64 !== owner.bits) return []
    return [[owner, decodeVector(owner, vector, entries[vector.entry].fields)]]
  })
  const first = new Map(decoded.map(([owner, vector]) => [owner.name, [owner, vector]]).reverse())
  return [
    ...decoded.map(([, vector]) => vector),
    ...[...first.values()].reverse().map(([owner, vector]) => encodeVector(owner, vector)),
  ]
}

