// encode: fields as an entry's words.
import { findEntry, setFields } from '@iommu/inspect'
import { readArguments } from '../arguments.js'
import { EXIT, printLines, UsageError } from '../io.js'
import type { Verb } from '../io.js'
import { chosenView, VIEW_OPTIONS, viewEntry } from './view-entry.js'

const usage = `
iommu encode <entry> FIELD=value ... [--line | --bits | --json]

The words of an entry with these fields, all other bits zero, low word first;
below them the same view as decode. Values are 0x..., decimal, or what decode
prints as their meaning: iommu encode vtd.pasid P=1 PGTT="second stage" AW=2
`

export const verb: Verb = {
  name: 'encode',
  summary: 'fields as an entry\'s words: iommu encode vtd.pasid P=1 PGTT=2',
  usage,
  async run(args, io) {
    const {
      values,
      positionals: [name, ...settings],
    } = readArguments(args, VIEW_OPTIONS)
    if (name === undefined)
      throw new UsageError('expected the name of an entry and its fields, as in: iommu encode vtd.pasid P=1 PGTT=2')
    const owner = await findEntry(name)
    const words = setFields(owner, settings)
    const view = chosenView(values)
    if (view !== 'json') printLines(io, [words.map((word) => `0x${word.toString(16)}`).join(' ')])
    viewEntry(io, owner, words, view)
    return EXIT.fine
  },
}
