// walk: one DMA, or many, through recorded tables.
import { badArgument, findDevice, readIova, readPasid, walkAnswer, walkCapture } from '@iommu/inspect'
import type { WalkResult } from '@iommu/inspect'
import { readArguments } from '../arguments.js'
import { EXIT, printJson, printLines, UsageError } from '../io.js'
import type { Io, Verb } from '../io.js'
import { openSource, printCautions, SOURCE_OPTIONS, SOURCE_USAGE } from '../source.js'
import { painter, wrap } from '../text.js'

const usage = `
iommu walk <source> --rid BDF [--pasid N] --iova X ... [--write]
           [--expect translated|blocked] [--json]

What becomes of a DMA, entry by entry. Where the source lacks the next entry,
the steps up to there are shown, the answer is "unknown", the exit code 2.

  --rid      00:04.0, 0000:00:04.0, or the requester id (StreamID) as 0x20
  --pasid    decimal, or 0x...; without it a request without PASID (SSID)
  --iova     an address in hexadecimal, with or without 0x; may be repeated;
             - reads a list from stdin, one a line
  --write    a write; else a read
  --expect   exit 1 unless every answer is this one
${SOURCE_USAGE}`

const readList = (text: string): string[] =>
  text
    .split('\n')
    .map((line) => line.replace(/#.*/, '').trim())
    .filter((line) => line !== '')
    .flatMap((line) => line.split(/[\s,]+/))

const WORDS_A_LINE = 3

const report = (device: string, pasid: number | undefined, result: WalkResult, io: Io): string[] => {
  const paint = painter(io)
  const { iova, access, steps, caution } = result
  return [
    `${device}${pasid === undefined ? '' : ` PASID ${pasid}`}, ${access} of ${iova}`,
    ...steps.flatMap(({ entry, address, words, note }) => {
      const used = words.slice(0, Math.max(1, words.findLastIndex((word) => BigInt(word) !== 0n) + 1))
      const lines = Array.from(
        { length: Math.ceil(used.length / WORDS_A_LINE) },
        (_, index) => `      ${used.slice(index * WORDS_A_LINE, (index + 1) * WORDS_A_LINE).join(' ')}`,
      )
      return [
        ...wrap(`  ${paint('name', entry)}${address === null ? '' : ` at ${address}`}: ${note}`, io.columns, 6),
        ...lines.map((line) => paint('note', line)),
      ]
    }),
    ...(caution === undefined
      ? []
      : wrap(`  ${paint('wrong', '!')} ${caution}; walked as if it were 1`, io.columns, 4)),
    ...wrap(`  ${walkAnswer(result, paint)}`, io.columns, 4),
  ]
}

export const verb: Verb = {
  name: 'walk',
  summary: 'one DMA through recorded tables, step by step',
  usage,
  async run(args, io) {
    const {
      values,
      positionals: [name, ...more],
    } = readArguments(args, {
      ...SOURCE_OPTIONS,
      rid: { type: 'string' },
      pasid: { type: 'string' },
      iova: { type: 'string', multiple: true },
      write: { type: 'boolean' },
      expect: { type: 'string' },
      json: { type: 'boolean' },
    })
    const { rid, iova = [], expect } = values
    if (name === undefined || rid === undefined || iova.length === 0) {
      throw new UsageError(
        'expected a source, --rid and --iova, as in: iommu walk ./capture --rid 00:04.0 --iova 0x1000',
      )
    }
    if (expect !== undefined && expect !== 'translated' && expect !== 'blocked')
      throw badArgument('--expect', 'translated or blocked', expect)
    const texts = [...iova, ...more]
    if (name === '-' && texts.includes('-')) throw new UsageError('standard input is the source already; give --iova addresses')
    const capture = await openSource(name, values, io)
    printCautions('walk', capture.cautions, io)
    const device = findDevice(capture, rid)
    const pasid = values.pasid === undefined ? undefined : readPasid(values.pasid)
    const list = texts.includes('-') ? readList(await io.stdin()) : []
    const results = texts.flatMap((text) => (text === '-' ? list : [text])).map((text) => walkCapture(capture, {
      source: device.requesterId, iova: readIova(text), access: values.write === true ? 'write' : 'read',
      ...(pasid === undefined ? {} : { pasid }),
    }))
    if (values.json === true) {
      printJson(io, {
        schema: 'iommu.walk/1', device: device.bdf, requesterId: `0x${device.requesterId.toString(16)}`,
        ...(pasid === undefined ? {} : { pasid }),
        ...(capture.cautions === undefined ? {} : { cautions: capture.cautions }), results,
      })
    } else {
      printLines(io, results.flatMap((result) => report(device.bdf, pasid, result, io)))
    }
    const others = expect === undefined ? [] : results.filter(({ outcome }) => outcome !== expect)
    if (others.length > 0)
      io.stderr(
        `iommu walk: ${others.length} of ${results.length} not ${expect}: ${others
          .slice(0, 4)
          .map((each) => each.iova)
          .join(' ')}\n`,
      )
    const unknown = results.filter((result) => result.outcome === 'unknown')
    for (const why of new Set(unknown.map((result) => result.unknown?.why))) io.stderr(`iommu walk: ${why}\n`)
    // Of an answer that is known to be another one, --expect can say no.
    return others.length > unknown.length ? EXIT.no : unknown.length > 0 ? EXIT.usage : EXIT.fine
  },
}
