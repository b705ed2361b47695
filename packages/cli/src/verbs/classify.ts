// classify: what every detach_dev of 2022 did to DMA, and what a blocked domain of a driver's own saves.
import { createCore } from '@iommu/core'
import {
  bitsOf, classifiedRows, classify, compareOwnership, EFFECTS, heldSaid, REQUESTERS, subjects, tallySaid, todaySaid,
} from '@iommu/driver-legacy-nodefault/history'
import type { Bits, Claimed, Classification, Effect, OwnershipRow, Subject } from '@iommu/driver-legacy-nodefault/history'
import { nearest } from '@iommu/inspect'
import { readArguments } from '../arguments.js'
import { driverNames, loadDriver } from '../driver-modules.js'
import { EXIT, printJson, printLines, UsageError } from '../io.js'
import type { Io, Verb } from '../io.js'
import { painter, wrap } from '../text.js'

const usage = `
iommu classify [driver ...] [--bits] [--expect EFFECT] [--json]
iommu classify --ownership [driver ...] [--devices N] [--json]

In May 2022 somebody asked of every detach_dev in Linux: blocking, identity,
nothing, or something weird? Each body, as of 5.18, is run on a model of its
hardware: attach, map, DMA, detach, DMA. The verdict is read off the answers.

  blocked    every access faults
  identity   every address is itself
  none       nothing changes: the old mapping lives on
  platform   a table of the DMA API takes over
  mixed      it depends: on the address, the direction, or a cache

Drivers by name are told in full.
  --bits       which of the bits that a body writes decide: every one is
               written the other way; takes seconds
  --expect E   exit 1 unless all drivers named have the effect E
  --ownership  claims of N devices (3) by a driver's own blocked domain, and by
               the empty paging domain that stands in for it; of the drivers
               that are here (iommu drivers), or of those named
`

const chosenSubjects = (names: readonly string[]): readonly Subject[] => names.length === 0 ? subjects : names.map((name) => {
  const found = subjects.find(({ driver }) => driver === name)
  if (found !== undefined) return found
  const near = nearest(name, subjects.map(({ driver }) => driver))
  throw new UsageError(`there is no driver "${name}" in the thread${near === undefined ? '' : `; did you mean ${near}?`}`)
})

const COLUMNS = [13, 10, 6] as const

const row = (cells: readonly string[], columns: number): string[] => {
  const start = COLUMNS.map((width, index) => (cells[index] ?? '').padEnd(width)).join('')
  const hanging = 2 + COLUMNS.reduce((sum, width) => sum + width, 0)
  return wrap(`  ${start}${cells[COLUMNS.length] ?? ''}`.trimEnd(), columns, hanging)
}

const table = (all: readonly Classification[], io: Io): string[] => {
  const paint = painter(io)
  const lists = [...new Set(all.map(({ list }) => list))]
  const hazards = all.flatMap(({ driver, hazards: found }) => found.filter(({ shown }) => shown).map(({ title }) => [driver, title] as const))
  return [
    paint('note', row(['driver', 'detach', 'held', 'guess of May 2022; what Linux 7.3.4 has'], io.columns).join('')),
    ...lists.flatMap((list) => [
      paint('name', list),
      ...all.filter((each) => each.list === list)
        .flatMap((each) => row([each.driver, each.effect, heldSaid(each), `${each.guess2022 ?? 'no guess'}; ${todaySaid(each)}`], io.columns)),
    ]),
    '',
    ...wrap(tallySaid(all), io.columns, 0),
    ...(hazards.length === 0 ? [] : ['', paint('name', 'hazards of order, shown by the same models'),
      ...hazards.flatMap(([driver, title]) => wrap(`  ${driver}: ${title}`, io.columns, 4))]),
  ]
}

const inFull = (each: Classification, bits: Bits | undefined, io: Io): string[] => [
  `${painter(io)('name', each.driver)} · ${each.effect}`,
  ...classifiedRows(each, bits).flatMap(([label, text]) => wrap(`  ${label.padEnd(10)}${text}`, io.columns, 12)),
]

const COSTS = ['pages', 'ids', 'stores', 'registers', 'commands', 'flushes'] as const

const costLine = (label: string, claimed: Claimed | undefined): string => {
  const start = `    ${label.padEnd(16)}`
  if (claimed === undefined) return `${start}there is none`
  if ('refused' in claimed) return `${start}refused: ${claimed.refused}${claimed.claimed === 0 ? '' : ` after ${claimed.claimed}`}`
  return `${start}${COSTS.map((each) => String(claimed.cost[each]).padStart(10)).join('')}`
}

const ownershipTable = (rows: readonly OwnershipRow[], io: Io): string[] => {
  const paint = painter(io)
  const [first] = rows
  return [
    `Claims of ${first?.devices ?? 0} devices, each in a group of its own, from DMA default domains`,
    paint('note', `${' '.repeat(20)}${COSTS.map((each) => each.padStart(10)).join('')}`),
    ...rows.flatMap(({ driver, backend, blocked, standIn }) => [
      `  ${paint('name', driver)}, ${backend}`, costLine('blocked domain', blocked), costLine('stand-in', standIn),
    ]),
  ]
}

const LEGACY = 'driver-legacy-nodefault'

/** Every kind of hardware of the legacy driver; of the others the first, which says the same as the rest. */
const ownership = async (names: readonly string[], devices: number): Promise<OwnershipRow[]> => {
  const modules = await Promise.all(names.map(loadDriver))
  return modules.flatMap(({ backends }) => (backends[0]?.name === LEGACY ? backends : backends.slice(0, 1)))
    .map((backend) => compareOwnership(backend, (ops) => createCore(ops), devices))
}

const deviceCount = (text: string | undefined): number => {
  const count = Number(text ?? 3)
  if (!Number.isInteger(count) || count < 1 || count > REQUESTERS.length) {
    throw new UsageError(`--devices is a number from 1 to ${REQUESTERS.length}, found "${text}"`)
  }
  return count
}

const isEffect = (text: string): text is Effect => (EFFECTS as readonly string[]).includes(text)

export const verb: Verb = {
  name: 'classify',
  summary: 'what detach_dev of 2022 really did, and what a block saves',
  usage,
  async run(args, io) {
    const { values, positionals } = readArguments(args, {
      bits: { type: 'boolean' }, expect: { type: 'string' }, ownership: { type: 'boolean' }, devices: { type: 'string' }, json: { type: 'boolean' },
    })
    if (values.ownership === true) {
      if (values.bits === true || values.expect !== undefined) throw new UsageError('--ownership asks for costs, not for effects')
      const rows = await ownership(positionals.length > 0 ? positionals : driverNames, deviceCount(values.devices))
      if (values.json === true) printJson(io, { schema: 'iommu.classify/1', drivers: subjects.map(classify), ownership: rows })
      else printLines(io, ownershipTable(rows, io))
      return EXIT.fine
    }
    if (values.devices !== undefined) throw new UsageError('--devices goes with --ownership')
    const { expect } = values
    if (expect !== undefined && !isEffect(expect)) throw new UsageError(`--expect is one of ${EFFECTS.join(', ')}, found "${expect}"`)
    if (expect !== undefined && positionals.length === 0) throw new UsageError('--expect needs the drivers that it is about')
    const found = chosenSubjects(positionals).map((subject) => ({
      classification: classify(subject), bits: values.bits === true ? bitsOf(subject) : undefined,
    }))
    if (values.json === true) {
      printJson(io, {
        schema: 'iommu.classify/1',
        drivers: found.map(({ classification, bits }) => ({
          ...classification, ...(bits === undefined ? {} : { bits: { written: bits.written, decisive: bits.decisive } }),
        })),
      })
    } else if (positionals.length === 0 && values.bits !== true) printLines(io, table(found.map(({ classification }) => classification), io))
    else printLines(io, found.flatMap(({ classification, bits }, index) => [...(index > 0 ? [''] : []), ...inFull(classification, bits, io)]))
    return expect === undefined || found.every(({ classification: { effect } }) => effect === expect) ? EXIT.fine : EXIT.no
  },
}
