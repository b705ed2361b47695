// vectors: the golden vectors, and another program's answers held against them.
import { readArguments } from '../arguments.js'
import { EXIT, printJson, printLines, UsageError } from '../io.js'
import type { Io, Verb } from '../io.js'
import { checkProgram } from '../vector-check.js'
import type { Checked } from '../vector-check.js'
import { VECTOR_KINDS, VECTOR_VENDORS, vectorsOf } from '../vector-files.js'
import type { Vector } from '../vector-files.js'

const usage = `
iommu vectors [--vendor V ...] [--kind K ...] [--json]
iommu vectors [--vendor V ...] [--kind K ...] --check '<command>' [--json]

Golden vectors for drivers and emulators in any language: one JSON line each, or
all of them as one object with --json (iommu.vectors/1).

  --vendor   vtd, amd, smmuv3, riscv; all of them where absent
  --kind     decode (words to fields), encode (fields to words), walk (a DMA
             through tables), transition (stores and commands from one version
             of an entry to another), line (a fault line); all where absent
  --check    asks a program: it reads lines {"id","kind","given"} and answers each
             with a line {"id","result"}, or {"id","unsupported":true}. Of a
             transition any order is right that is as hitless as the vector's,
             ends in the same words, and invalidates what was live

Exit: 1 where an answer differs; 2 where the program is silent for 60 s, ends early
or answers something else.
`

const SILENCE = 60_000
const SHOWN = 10

const chosen = <T extends string>(what: string, all: readonly T[], names: readonly string[] | undefined): readonly T[] =>
  (names ?? all).map((name) => {
    const found = all.find((each) => each === name)
    if (found === undefined) throw new UsageError(`there is no ${what} "${name}"; there are ${all.join(', ')}`)
    return found
  })

const text = (value: unknown): string => (value === undefined ? 'nothing' : JSON.stringify(value))

const printChecked = (io: Io, checked: readonly Checked[]): void => {
  const different = checked.filter(({ status }) => status === 'different')
  for (const { id, difference } of different.slice(0, SHOWN)) {
    printLines(io, [`✗ ${id}  ${difference?.member ?? ''}: expected ${text(difference?.expected)}, found ${text(difference?.found)}`])
  }
  if (different.length > SHOWN) printLines(io, [`  and ${different.length - SHOWN} more; --json has them all`])
  const count = (status: Checked['status']): number => checked.filter((each) => each.status === status).length
  printLines(io, [`${count('equal')} equal, ${different.length} different, ${count('unsupported')} unsupported`])
}

const check = async (command: string, vectors: readonly Vector[], asJson: boolean, io: Io): Promise<number> => {
  const checked = await checkProgram(command, vectors, SILENCE)
  const count = (status: Checked['status']): number => checked.filter((each) => each.status === status).length
  if (asJson) {
    printJson(io, {
      schema: 'iommu.vectors/1', totals: { equal: count('equal'), different: count('different'), unsupported: count('unsupported') },
      results: checked,
    })
  } else {
    printChecked(io, checked)
  }
  // A program that supports nothing has not been checked.
  return count('different') === 0 && count('equal') > 0 ? EXIT.fine : EXIT.no
}

export const verb: Verb = {
  name: 'vectors',
  summary: 'golden vectors for any language; --check asks a program',
  usage,
  run(args, io) {
    const { values, positionals } = readArguments(args, {
      vendor: { type: 'string', multiple: true }, kind: { type: 'string', multiple: true }, check: { type: 'string' }, json: { type: 'boolean' },
    })
    if (positionals.length > 0) throw new UsageError(`"${positionals[0] as string}" is not expected; a program to ask goes behind --check`)
    const kinds = chosen('kind', VECTOR_KINDS, values.kind)
    const vectors = chosen('vendor', VECTOR_VENDORS, values.vendor)
      .flatMap(vectorsOf)
      .filter(({ kind }) => kinds.some((each) => each === kind))
    if (values.check !== undefined) return check(values.check, vectors, values.json === true, io)
    if (values.json === true) printJson(io, { schema: 'iommu.vectors/1', vectors })
    else printLines(io, vectors.map((each) => JSON.stringify(each)))
    return EXIT.fine
  },
}
