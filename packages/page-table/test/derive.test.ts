// What `deriveFormat` and `walkingOf` refuse: formats of which the paths that are written for speed would be wrong.
import { expect, test } from 'vitest'
import { bit, entry, field } from '@iommu/bits'
import { bySizeBit, deriveFormat, maskFor, walkingOf } from '../src/index.js'
import type { FormatParts } from '../src/index.js'

const layout = entry('toy.entry', { title: 'Entry of a toy', bits: 64, section: 'toy:1', confirmedBy: [], ignored: [[6, 2], [11, 8], [62, 53]] }, {
  P: bit(0, 'Present'), RW: bit(1, 'Writable'), PS: bit(7, 'Page size'), ADDR: field(51, 12, 'Address'), NOTE: bit(52, 'Written back'), HP: bit(63, 'Present'),
})
const nothing = 0n
const writable = maskFor(layout, 'RW')
const present = maskFor(layout, 'P')
const grants = { invert: nothing, read: present, write: writable, execute: nothing, user: nothing }
const parts: FormatParts = {
  layout, depths: [3], levels: 3, leafShifts: [12, 21], addressBits: 46, address: maskFor(layout, 'ADDR'), present,
  kinds: bySizeBit(maskFor(layout, 'PS')), table: () => present | writable, writtenBack: [52, 52], snoop: nothing, grants,
  leaf: ({ write }) => present | (write ? writable : nothing), size: (shift) => (shift > 12 ? maskFor(layout, 'PS') : nothing),
  tableReserved: () => nothing, leafReserved: nothing, largeUnchecked: nothing,
}

test('a format with entries as they are usual is derived', () => {
  expect(deriveFormat(parts)).toMatchObject({ name: 'toy.entry', levels: 3, present: 1, inputBits: 39 })
})

test.each<[why: string, spoiled: Partial<FormatParts>]>([
  ['the bits that make an entry present lie above bit 31', { present: maskFor(layout, 'HP') }],
  ['the attributes of its tables do not follow from the level', { table: (level) => present | writable | (level === 3 ? 0x400n : 0n), levels: 4, depths: [4] }],
  ['3 levels; it has 4', { depths: [4] }],
  ['no level has leaves of 2^13 bytes', { leafShifts: [12, 13] }],
  ['physical addresses of 53 bits', { addressBits: 53 }],
])('%s: refused', (why, spoiled) => {
  const derive = () => deriveFormat({ ...parts, ...spoiled })
  expect(derive).toThrow(RangeError)
  expect(derive).toThrow(why)
})

test('table entries that do not permit everything: no walk', () => {
  const format = deriveFormat({ ...parts, table: () => present })
  expect(() => walkingOf(format)).toThrow('toy.entry: its table entries do not permit everything')
})
