// Explains names instead of lines: an entry, a field of one, a fault code.
import { confirmation } from '@iommu/bits'
import type { Entry } from '@iommu/bits'
import { findField } from './decode.js'
import { lookUpEntries } from './entries.js'
import type { Explained } from './explained.js'
import { hexCode } from './spell.js'
import type { Vendor } from './vendor.js'
import { allVendors, splitPrefix, vendorsOfName } from './vendors.js'

/** A fault code, perhaps with its vendor: "vtd:0x59", "amd reason 2", "0x10". Decimal only behind a vendor. */
const CODE = /^(?:([a-z][\w-]{1,9})[:\s]\s*)?(?:(?:reason|event|cause)\s+)?(?:(0x[0-9a-f]{1,3})|((?<=[:\s])\d{1,3}))$/i
/** What entries, fields and faults are called. */
const NAME = /^[\w./:-]{1,80}$/

const vendorOf = ({ name }: Entry): string => name.slice(0, name.indexOf('.'))

const fieldItem = (input: string, owner: Entry, wanted: string): Explained => {
  const [name, field] = findField(owner, wanted)
  return {
    kind: 'field', input, vendor: vendorOf(owner), name: `${owner.name}.${name}`, meaning: field.title, count: 1,
    section: field.section ?? owner.section, confirmedBy: confirmation(owner, name), bits: field.runs,
    ...(field.meanings === undefined ? {} : { values: field.meanings }),
    ...(field.alias === undefined ? {} : { alias: field.alias }),
  }
}

const entryItem = (input: string, owner: Entry): Explained => ({
  kind: 'entry',
  input,
  vendor: vendorOf(owner),
  name: owner.name,
  meaning: `${owner.title}, ${owner.bits} bits`,
  section: owner.section,
  confirmedBy: owner.confirmedBy,
  fields: Object.keys(owner.fields),
  count: 1,
})

/** A word of an entry by the manual's name for it. */
const wordItem = (input: string, owner: Entry, name: string, index: number): Explained => {
  const low = index * owner.wordBits
  const high = low + owner.wordBits - 1
  return {
    kind: 'field', input, vendor: vendorOf(owner), name: `${owner.name}.${name}`, count: 1, bits: [[high, low]],
    meaning: `word ${index} of ${owner.title.toLowerCase()}`, section: owner.section, confirmedBy: owner.confirmedBy,
    fields: Object.entries(owner.fields).filter(([, { runs }]) => runs.every(([top, bottom]) => top <= high && bottom >= low)).map(([each]) => each),
  }
}

/** What follows the name of an entry: a word, a field, or a field behind the name of its word. */
const partItem = (vendors: readonly Vendor[], input: string, owner: Entry, part: string): Explained => {
  const words = vendors.flatMap(({ wordNames }) => wordNames?.[owner.name] ?? [])
  const index = words.indexOf(part.toLowerCase())
  if (index >= 0) return wordItem(input, owner, part.toLowerCase(), index)
  const [word = '', rest] = part.split(/\.(.*)/s)
  const isAlias = Object.values(owner.fields).some(({ alias = [] }) => alias.some((each) => each.toLowerCase() === part.toLowerCase()))
  return fieldItem(input, owner, rest !== undefined && words.includes(word.toLowerCase()) && !isAlias ? rest : part)
}

/** A field name without its entry: every entry that has it. */
const fieldAnywhere = (vendors: readonly Vendor[], input: string): Explained[] =>
  vendors.flatMap(({ entries }) => entries)
    .filter((owner) => Object.entries(owner.fields).some(([name, { alias = [] }]) =>
      [name, ...alias].some((each) => each.toLowerCase() === input.toLowerCase())))
    .map((owner) => fieldItem(input, owner, input))

/** A code without its vendor is what each vendor that knows it says; unknown where none does. */
const codeItems = (input: string, vendors: readonly Vendor[], code: number): Explained[] => {
  const about = { kind: 'fault-code', input, count: 1 } as const
  const said = vendors.map((vendor) => ({ ...about, ...vendor.explainCode(code) }))
  const known = said.filter(({ meaning }) => meaning !== undefined)
  if (known.length > 0) return known
  return said.length === 1 ? said : [{ ...about, code, name: `fault code ${hexCode(code)}` }]
}

const codeTopic = async (input: string): Promise<Explained[]> => {
  const [, prefix, hexadecimal, decimal] = CODE.exec(input) ?? []
  const digits = hexadecimal ?? decimal
  if (digits === undefined) return []
  if (prefix === undefined) return codeItems(input, await allVendors(), Number(digits))
  const split = splitPrefix(`${prefix}.`)
  if (split === undefined) return []
  const code = Number(digits)
  const items = codeItems(input, await vendorsOfName(`${split.id}.`), code)
  // RISC-V's causes are decimal everywhere, and one digit is the same in both.
  if (hexadecimal !== undefined || split.id === 'riscv' || code < 10) return items
  return items.map((item) => ({ ...item, reading: `"${digits}" without 0x taken as decimal: ${hexCode(code)}` }))
}

/** Items for a name; none where it is not one. Throws InputError for an entry that has no such field. */
export const explainTopic = async (input: string): Promise<Explained[]> => {
  const text = input.trim()
  const codes = await codeTopic(text)
  if (codes.length > 0 || !NAME.test(text)) return codes
  const vendors = await vendorsOfName(text)
  const plain = splitPrefix(text)?.rest ?? text
  const named = vendors.flatMap((vendor) => {
    const code = vendor.codeNamed(plain.toUpperCase())
    return code === undefined ? [] : codeItems(text, [vendor], code)
  })
  if (named.length > 0) return named
  const owners = await lookUpEntries(text)
  if (owners.length > 0) return owners.map((owner) => entryItem(text, owner))
  // Names of entries and of fields may have dots: the longest entry's name that fits is meant.
  for (let dot = text.lastIndexOf('.'); dot > 0; dot = text.lastIndexOf('.', dot - 1)) {
    const parents = await lookUpEntries(text.slice(0, dot))
    if (parents.length > 0) return parents.map((parent) => partItem(vendors, text, parent, text.slice(dot + 1)))
  }
  return fieldAnywhere(vendors, plain)
}
