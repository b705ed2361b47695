// inspect: what recorded tables make of the DMA of every device.
import { faultLines, findDevice, inspect, inspectionTitle, shortNames, withDevices, withDevicesOfTables } from '@iommu/inspect'
import type { Inspection, Verdict } from '@iommu/inspect'
import { readArguments } from '../arguments.js'
import { EXIT, printJson, printLines, UsageError } from '../io.js'
import type { Io, Verb } from '../io.js'
import { openSource, printCautions, SOURCE_OPTIONS, SOURCE_USAGE } from '../source.js'
import { painter, wrap } from '../text.js'

const usage = `
iommu inspect <source> [--rid BDF ...] [--json]

For every device: what happens to its DMA without PASID, and to each PASID that
has an entry; and which entry says so.

  translated   through page tables        identity   passes unchanged
  blocked      every DMA stops            invalid    an entry hardware refuses

  --rid        this device alone; may be repeated. Sources without a list of
               devices show those that their tables do not block
${SOURCE_USAGE}`

const ROLES = { identity: 'address', translated: 'set', blocked: 'name', invalid: 'wrong' } as const
const EFFECT_WIDTH = 10

const report = (inspection: Inspection, io: Io): string[] => {
  const { devices } = inspection
  const paint = painter(io)
  const short = shortNames(devices)
  const width = Math.max(7, ...devices.map(({ bdf }) => short(bdf).length))
  const row = (name: string, { effect, why }: Verdict): string[] =>
    wrap(
      `  ${name.padEnd(width)}  ${paint(ROLES[effect], effect.padEnd(EFFECT_WIDTH))}  ${why}`,
      io.columns,
      width + EFFECT_WIDTH + 6,
    )
  return [
    inspectionTitle(inspection),
    ...devices.flatMap((device) => [
      ...row(short(device.bdf), device),
      ...(device.caution === undefined
        ? []
        : wrap(
            `  ${paint('wrong', '!')} ${device.caution}; the entries below are what it keeps from use`,
            io.columns,
            4,
          )),
      ...device.pasids.flatMap(({ pasid, ...verdict }) => row(`  ${pasid}`, verdict)),
      ...(device.pasidsLeftOut === undefined ? [] : [`  and ${device.pasidsLeftOut} more PASIDs`]),
    ]),
    ...faultLines(inspection).flatMap((line) => wrap(`  ${paint('wrong', 'fault waiting')}  ${line}`, io.columns, 4)),
  ]
}

export const verb: Verb = {
  name: 'inspect',
  summary: 'what recorded tables make of every device',
  usage,
  async run(args, io) {
    const { values, positionals: [name, ...more] } = readArguments(args, {
      ...SOURCE_OPTIONS, rid: { type: 'string', multiple: true }, json: { type: 'boolean' },
    })
    if (name === undefined || more.length > 0) throw new UsageError('expected one source: a capture folder, debugfs text, an ELF core or a raw image')
    const source = await openSource(name, values, io)
    const capture = values.rid === undefined ? withDevicesOfTables(source)
      : withDevices(source, values.rid.map((rid) => findDevice(source, rid)))
    const result = inspect(capture)
    printCautions('inspect', result.cautions, io)
    if (values.json === true) printJson(io, result)
    else printLines(io, report(result, io))
    return EXIT.fine
  },
}
