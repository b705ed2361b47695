// decode: an entry's words as fields.
import { findEntry, listEntries, readWords, setFields } from '@iommu/inspect'
import { readArguments } from '../arguments.js'
import { EXIT, printLines, UsageError } from '../io.js'
import type { Io, Verb } from '../io.js'
import { wrap } from '../text.js'
import { chosenView, VIEW_OPTIONS, viewEntry } from './view-entry.js'

const usage = async (): Promise<string> => `
iommu decode <entry> <hex...> [--line | --bits | --json] [--set FIELD=value ...]
                              [--high-first]

The words of a table entry, descriptor or register as fields.

  spaces     low word first:    iommu decode vtd.pasid 0x1038a5089 0x800002
  colons     high word first:   iommu decode vtd.pasid 0x0:0x800002:0x1038a5089
  a row of debugfs's amd/devtbl, recognised by its device or header, has the
  high word first; --high-first says so by hand
  fewer words than the entry has are its lowest; the rest is taken as zero
  0x, capitals and underscores do not matter; - reads the words from stdin

  --line     one line
  --bits     every word in binary, with the fields in it
  --json     iommu.decode/1
  --set      changes a field, and prints the new words: --set P=0 --set DID=0x20

"?" after a field: nothing outside of this project confirms its place. A section
number that ends in "?" is recalled, and unchecked against the manual.

Entries: ${wrap((await listEntries()).map(({ name }) => name).join(' '), 71, 9).join('\n')}
`

const wordsOf = async (texts: readonly string[], io: Io): Promise<readonly string[]> =>
  texts.length === 1 && texts[0] === '-' ? [await io.stdin()] : texts

export const verb: Verb = {
  name: 'decode',
  summary: 'an entry\'s words as fields: iommu decode vtd.pasid 0x89 0x5',
  usage,
  async run(args, io) {
    const {
      values,
      positionals: [name, ...texts],
    } = readArguments(args, {
      ...VIEW_OPTIONS, set: { type: 'string', multiple: true }, 'high-first': { type: 'boolean' },
    })
    if (name === undefined)
      throw new UsageError('expected the name of an entry and its words, as in: iommu decode vtd.pasid 0x89 0x5')
    const owner = await findEntry(name)
    const { words, given, inferred } = readWords(owner, await wordsOf(texts, io), values['high-first'] === true)
    const changed = values.set === undefined ? words : setFields(owner, values.set, words)
    const view = chosenView(values)
    if (values.set !== undefined && view !== 'json')
      printLines(io, [changed.map((word) => `0x${word.toString(16)}`).join(' ')])
    const remarks = [
      ...(given === words.length ? [] : [`${given} of ${words.length} words given`]), ...(inferred === undefined ? [] : [inferred]),
    ]
    viewEntry(io, owner, changed, view, remarks.length === 0 ? undefined : { given, inferred, text: remarks.join('; ') })
    return EXIT.fine
  },
}
