// Explains names instead of lines: an entry, a field of one, a fault code.
import { confirmation } from '@iommu/bits'
import type { Entry } from '@iommu/bits'
import { faultReasons, faultRecord } from '@iommu/driver-intel-vtd/tables'
import { adviceFor } from './advice.js'
import { findField } from './decode.js'
import { entries, lookUpEntry } from './entries.js'
import type { Explained } from './explain.js'
import { hexCode } from './judge.js'

/** A fault code by vendor: "vtd:0x59". A bare "0x59" is taken as VT-d's. */
const CODE = /^(?:(?:vtd|vt-d|intel|dmar)[:\s]+)?(?:reason\s+)?(0x[0-9a-f]{1,2}|(?<=[:\s])\d{1,3})$/i

/** What is known of a VT-d fault reason, in our words. */
export const reasonMembers = (
  code: number,
): Pick<Explained, 'vendor' | 'code' | 'name' | 'meaning' | 'confirmedBy' | 'so' | 'usual' | 'section'> => {
  const reason = faultReasons.get(code)
  const advice = adviceFor(code)
  return {
    vendor: 'vtd',
    code,
    name: `VT-d fault reason ${hexCode(code)}`,
    section: faultRecord.section,
    ...(reason === undefined ? {} : { meaning: reason.meaning, confirmedBy: reason.confirmedBy }),
    ...(advice === undefined ? {} : advice),
  }
}

const fieldItem = (input: string, owner: Entry, wanted: string): Explained => {
  const [name, field] = findField(owner, wanted)
  return {
    kind: 'field', input, vendor: 'vtd', name: `${owner.name}.${name}`, meaning: field.title, count: 1,
    section: field.section ?? owner.section, confirmedBy: confirmation(owner, name), bits: field.runs,
    ...(field.meanings === undefined ? {} : { values: field.meanings }),
    ...(field.alias === undefined ? {} : { alias: field.alias }),
  }
}

const entryItem = (input: string, owner: Entry): Explained => ({
  kind: 'entry',
  input,
  vendor: 'vtd',
  name: owner.name,
  meaning: `${owner.title}, ${owner.bits} bits`,
  section: owner.section,
  confirmedBy: owner.confirmedBy,
  fields: Object.keys(owner.fields),
  count: 1,
})

/** A field name without its entry: every entry that has it. */
const anywhere = (input: string): Explained[] =>
  entries
    .filter((owner) => Object.entries(owner.fields).some(([name, { alias = [] }]) =>
      [name, ...alias].some((each) => each.toLowerCase() === input.toLowerCase())))
    .map((owner) => fieldItem(input, owner, input))

/** Items for a name; none where it is not one. Throws InputError for an entry that has no such field. */
export const explainTopic = (input: string): Explained[] => {
  const text = input.trim()
  const code = CODE.exec(text)?.[1]
  if (code !== undefined) return [{ kind: 'fault-code', input: text, count: 1, ...reasonMembers(Number(code)) }]
  if (!/^[\w./-]+$/.test(text)) return []
  const owner = lookUpEntry(text)
  if (owner !== undefined) return [entryItem(text, owner)]
  const dot = text.lastIndexOf('.')
  const parent = dot > 0 ? lookUpEntry(text.slice(0, dot)) : undefined
  return parent !== undefined ? [fieldItem(text, parent, text.slice(dot + 1))] : anywhere(text)
}
