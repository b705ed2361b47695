// diff: what changed between two versions of an entry, and how the driver gets from one to the other.
import { findEntry, planChange, readBdf, readWords } from '@iommu/inspect'
import type { PlannedChange, PlannedStep } from '@iommu/inspect'
import { readArguments } from '../arguments.js'
import { EXIT, printJson, printLines, UsageError } from '../io.js'
import type { Io, Verb } from '../io.js'
import { painter, wrap } from '../text.js'

const usage = `
iommu diff <entry> <wordsA> <wordsB> [--rid BDF] [--pasid N] [--json]

The fields that differ between two versions of an entry, and the stores and
invalidations by which the driver gets from A to B, in order. Each version is one
argument, its words low first: iommu diff vtd.context '0x4857001 0x502' '0x9 0x102'

  --rid      whose entry it is, for the invalidations; 00:00.0 without it
  --pasid    which PASID's, for entries of PASIDs; 0 without it

hitless: the entry answers DMA throughout, from A's words or from B's. The plan is
that for hardware without caching mode and for a device without ATS.
`

const numberOf = (text: string | undefined): number => {
  if (text === undefined) return 0
  const value = /^(0x[0-9a-f]+|\d+)$/i.test(text) ? Number(text) : readBdf(text)?.requesterId
  if (value === undefined) throw new UsageError(`expected a device such as 00:04.0, or a number, not "${text}"`)
  return value
}

const stepLines = (step: PlannedStep, io: Io): string[] => {
  const paint = painter(io)
  switch (step.do) {
    case 'store': {
      const { index = 0, words = [], changed = [], instead } = step
      const place = words.length > 1 ? `words ${index} and ${index + words.length - 1}` : `word ${index}`
      return wrap(`  store  ${place} = ${words.join(' ')}: ${changed.join(', ') || 'nothing'}${instead === undefined ? '' : paint('wrong', `  (${instead})`)}`, io.columns, 9)
    }
    case 'invalidate':
      return (step.commands ?? []).flatMap(({ entry = 'unknown', text }) =>
        wrap(`  cmd    ${paint('name', entry)} ${text}`, io.columns, 9)).concat('  wait   for all of it')
    default: return [paint('note', `  ${step.do}`)]
  }
}

const report = ({ entry, changed, hitless, steps, syncs, stores }: PlannedChange, io: Io): string[] => [
  `${entry}: ${changed.length === 0 ? 'nothing differs' : `${changed.length} ${changed.length === 1 ? 'field differs' : 'fields differ'}`}`,
  ...changed.flatMap(({ name, before, after, meaning }) => {
    const [was, is] = meaning ?? [before, after]
    return wrap(`  ${painter(io)('name', name)}  ${was} -> ${is}`, io.columns, 4)
  }),
  ...(steps.length === 0 ? [] : [
    `${hitless ? 'hitless' : 'not hitless'}, ${stores.length} ${stores.length === 1 ? 'store' : 'stores'}, ${syncs} waited for`,
    ...steps.flatMap((step) => stepLines(step, io)),
  ]),
]

export const verb: Verb = {
  name: 'diff',
  summary: 'two versions of an entry, and the stores between them',
  usage,
  async run(args, io) {
    const { values, positionals: [name, before, after, ...more] } = readArguments(args, {
      rid: { type: 'string' }, pasid: { type: 'string' }, json: { type: 'boolean' },
    })
    if (name === undefined || before === undefined || after === undefined || more.length > 0) {
      throw new UsageError("expected an entry and two versions of its words, each as one argument, as in: iommu diff vtd.context '0x9 0x102' '0'")
    }
    const owner = await findEntry(name)
    const [from, to] = [before, after].map((text) => readWords(owner, [text]).words) as [readonly bigint[], readonly bigint[]]
    const result = await planChange(owner, from, to, { source: numberOf(values.rid), pasid: numberOf(values.pasid) })
    if (values.json === true) printJson(io, result)
    else printLines(io, report(result, io))
    return EXIT.fine
  },
}
