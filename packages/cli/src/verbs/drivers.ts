// drivers: what is here, and what each driver declares.
import type { Manifest, Placement } from '@iommu/core'
import { backends } from '../backends.js'
import { readArguments } from '../arguments.js'
import { EXIT, printJson, printLines, UsageError } from '../io.js'
import type { Io, Verb } from '../io.js'
import { painter, wrap } from '../text.js'

const usage = `
iommu drivers [--json]

Every driver with what its manifest declares, once for each mode of hardware.
`

const placed = ({ rid, pasid }: Placement): string =>
  [rid ? 'RID' : '', pasid ? 'PASID' : ''].filter((each) => each !== '').join(', ')

const rowsOf = (manifest: Manifest): (readonly [string, string])[] => [
  ...(['blocked', 'identity', 'paging', 'sva'] as const).map((kind) => [kind, placed(manifest[kind]) || 'no'] as const),
  ['PASIDs', manifest.maxPasids === 0 ? 'none' : `below 0x${manifest.maxPasids.toString(16)}`],
  ['formats', manifest.formats.join(', ') || 'none'],
  ['hitless', manifest.hitless.join(', ') || 'no switch'],
  ...Object.entries(manifest.limits).map(([what, why]) => ['limit', `${what}: ${why}`] as const),
]

const report = (mode: string, manifest: Manifest, io: Io): string[] => [
  `${painter(io)('name', manifest.name)}, ${mode}: ${manifest.hardware}, contract ${manifest.contract}`,
  ...rowsOf(manifest).flatMap(([label, text]) => wrap(`  ${label.padEnd(8)}  ${text}`, io.columns, 12)),
]

export const verb: Verb = {
  name: 'drivers',
  summary: 'the drivers that are here, and what they declare',
  usage,
  async run(args, io) {
    const { values, positionals } = readArguments(args, { json: { type: 'boolean' } })
    if (positionals.length > 0) throw new UsageError('expected no arguments')
    const found = await Promise.all(
      backends.map(async (backend) => ({ mode: backend.mode, manifest: (await backend.create()).manifest })),
    )
    if (values.json === true) {
      printJson(io, {
        schema: 'iommu.drivers/1',
        drivers: found.map(({ mode, manifest: { name, contract, hardware, ...supports } }) => ({
          name,
          mode,
          hardware,
          contract,
          supports,
        })),
      })
    } else printLines(io, found.flatMap(({ mode, manifest }) => report(mode, manifest, io)))
    return EXIT.fine
  },
}
