// The views of an entry that decode and encode share: block, line, bits, JSON.
import { describe, renderBits, renderBlock, renderLine } from '@iommu/bits'
import type { Entry, Words } from '@iommu/bits'
import { decodeEntry } from '@iommu/inspect'
import { printJson, printLines } from '../io.js'
import type { Io } from '../io.js'
import { painter, wrapRow } from '../text.js'

export type View = 'block' | 'line' | 'bits' | 'json'

/** The options that choose a view; block where none is given. */
export const VIEW_OPTIONS = {
  json: { type: 'boolean' }, line: { type: 'boolean' }, bits: { type: 'boolean' },
} as const

export const chosenView = ({ json, line, bits }: { json?: boolean; line?: boolean; bits?: boolean }): View =>
  json === true ? 'json' : line === true ? 'line' : bits === true ? 'bits' : 'block'

/** How the words were taken, where that is not plain. */
export interface Remark {
  readonly given: number
  /** From what their order was inferred. */
  readonly inferred?: string | undefined
  readonly text: string
}

/** Writes an entry. `remark` is said behind the title, where the view has one. */
export const viewEntry = (
  io: Io,
  owner: Entry,
  words: Words,
  view: View,
  remark?: Remark,
): void => {
  if (view === 'json')
    return printJson(io, {
      ...decodeEntry(owner, words),
      ...(remark === undefined ? {} : { given: remark.given }),
      ...(remark?.inferred === undefined ? {} : { order: 'high first', inferred: remark.inferred }),
    })
  const paint = painter(io)
  const description = describe(owner, words)
  if (view === 'line') return printLines(io, [renderLine(description, paint)])
  const [title, ...lines] = (view === 'bits' ? renderBits : renderBlock)(description, paint).split('\n') as [string]
  const said = remark === undefined ? '' : `  (${remark.text})`
  printLines(io, [`${title}${said}`, ...lines].flatMap((line) => wrapRow(line, io.columns)))
}
