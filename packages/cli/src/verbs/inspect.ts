// inspect: what recorded tables make of the DMA of every device.
import { inspect } from '@iommu/inspect'
import type { Inspection, InspectedDevice, Verdict } from '@iommu/inspect'
import { openCapture } from '../capture-folder.js'
import { readArguments } from '../arguments.js'
import { EXIT, printJson, printLines, UsageError } from '../io.js'
import type { Io, Verb } from '../io.js'
import { painter, wrap } from '../text.js'

const usage = `
iommu inspect <capture> [--json]

A capture is a folder of meta.json, registers.json, tables.json and tables.bin.
For every device: what happens to its DMA without PASID, and to each PASID that
has an entry; and which entry says so.

  translated   through page tables        identity   passes unchanged
  blocked      every DMA stops            invalid    an entry hardware refuses
`

const ROLES = { identity: 'address', translated: 'set', blocked: 'name', invalid: 'wrong' } as const
const EFFECT_WIDTH = 10

/** Device names without a segment that is the same for all. */
const shortNames = (devices: readonly InspectedDevice[]): ((bdf: string) => string) => {
  const one = devices.every(({ bdf }) => bdf.startsWith('0000:'))
  return (bdf) => (one ? bdf.replace(/^0000:/, '') : bdf)
}

/** Faults that differ in their address alone, as one: hardware may refuse a transfer piece by piece. */
const alike = (faults: Inspection['faults']): { readonly first: Inspection['faults'][number]; readonly more: number }[] => {
  const groups = new Map<string, { first: Inspection['faults'][number]; more: number }>()
  for (const fault of faults) {
    const key = JSON.stringify({ ...fault, address: '' })
    const known = groups.get(key)
    if (known === undefined) groups.set(key, { first: fault, more: 0 })
    else known.more++
  }
  return [...groups.values()]
}

const report = ({ platform, mode, rootTable, rootTitle, devices, faults }: Inspection, io: Io): string[] => {
  const paint = painter(io)
  const short = shortNames(devices)
  const width = Math.max(7, ...devices.map(({ bdf }) => short(bdf).length))
  const row = (name: string, { effect, why }: Verdict): string[] =>
    wrap(
      `  ${name.padEnd(width)}  ${paint(ROLES[effect], effect.padEnd(EFFECT_WIDTH))}  ${why}`,
      io.columns,
      width + EFFECT_WIDTH + 6,
    )
  const title =
    mode === 'off' ? `${platform}, translation off`
      : `${platform}${mode === 'on' ? '' : `, ${mode} mode`}, ${rootTitle} at ${rootTable}`
  return [
    `${title}, ${devices.length} devices`,
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
    ...alike(faults).flatMap(({ first: { device, access, address, name, code, pasid }, more }) =>
      wrap(
        `  ${paint('wrong', 'fault waiting')}  ${short(device)}${
          pasid === undefined ? '' : ` PASID ${pasid}`
        }, ${access} of ${address}${more === 0 ? '' : ` and ${more} more like it`}: `
          + `0x${code.toString(16).padStart(2, '0')} ${name}`,
        io.columns,
        4,
      ),
    ),
  ]
}

export const verb: Verb = {
  name: 'inspect',
  summary: 'what recorded tables make of every device',
  usage,
  async run(args, io) {
    const { values, positionals: [folder, ...more] } = readArguments(args, { json: { type: 'boolean' } })
    if (folder === undefined || more.length > 0) throw new UsageError('expected one capture folder')
    const result = inspect(await openCapture(folder))
    if (values.json === true) printJson(io, result)
    else printLines(io, report(result, io))
    return EXIT.fine
  },
}
