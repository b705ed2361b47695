// drivers: what is here, and what each driver declares.
import type { Manifest, Placement } from '@iommu/core'
import { manifestOf } from '@iommu/conformance'
import type { Backend } from '@iommu/conformance'
import { readArguments } from '../arguments.js'
import { driverNames, loadDriver } from '../driver-modules.js'
import { EXIT, printJson, printLines, UsageError } from '../io.js'
import type { Io, Verb } from '../io.js'
import { painter, wrap } from '../text.js'

const usage = `
iommu drivers [--json]

Every driver that is here, with what its manifest declares. Kinds of hardware
on which it declares the same are listed together.
`

/** A manifest, and the kinds of hardware on which the driver declares it. */
interface Declared {
  readonly manifest: Manifest
  readonly kinds: string[]
}

const declaredBy = (backends: readonly Backend[]): Declared[] => {
  const found = new Map<string, Declared>()
  for (const backend of backends) {
    const manifest = manifestOf(backend)
    const key = JSON.stringify(manifest)
    const known = found.get(key)
    if (known === undefined) found.set(key, { manifest, kinds: [backend.backend] })
    else known.kinds.push(backend.backend)
  }
  return [...found.values()]
}

const placed = ({ rid, pasid }: Placement): string => [rid ? 'RID' : '', pasid ? 'PASID' : ''].filter((each) => each !== '').join(', ')

const rowsOf = ({ manifest, kinds }: Declared): (readonly [string, string])[] => [
  ['as', kinds.join('; ')],
  ...(['blocked', 'identity', 'paging', 'sva'] as const).map((kind) => [kind, placed(manifest[kind]) || 'no'] as const),
  ['PASIDs', manifest.maxPasids === 0 ? 'none' : `below 0x${manifest.maxPasids.toString(16)}`],
  ['formats', manifest.formats.join(', ') || 'none'],
  ['hitless', manifest.hitless.join(', ') || 'no switch'],
  ...Object.entries(manifest.limits).map(([what, why]) => ['limit', `${what}: ${why}`] as const),
]

const report = (declared: Declared, io: Io): string[] => [
  `${painter(io)('name', declared.manifest.name)} · ${declared.manifest.hardware} · contract ${declared.manifest.contract}`,
  ...rowsOf(declared).flatMap(([label, text]) => wrap(`  ${label.padEnd(8)}  ${text}`, io.columns, 12)),
]

export const verb: Verb = {
  name: 'drivers',
  summary: 'the drivers that are here, and what they declare',
  usage,
  async run(args, io) {
    const { values, positionals } = readArguments(args, { json: { type: 'boolean' } })
    if (positionals.length > 0) throw new UsageError('expected no arguments')
    const modules = await Promise.all(driverNames.map(loadDriver))
    const found = modules.flatMap(({ backends }) => declaredBy(backends))
    if (values.json === true) {
      printJson(io, {
        schema: 'iommu.drivers/1',
        drivers: found.map(({ kinds, manifest: { name, contract, hardware, ...supports } }) => ({ name, hardware, kinds, contract, supports })),
      })
    } else printLines(io, found.flatMap((each, index) => [...(index > 0 ? [''] : []), ...report(each, io)]))
    return EXIT.fine
  },
}
