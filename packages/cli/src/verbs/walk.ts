// walk: one DMA, or many, through recorded tables.
import { InputError, readBdf, sameDevice, walkCapture } from '@iommu/inspect'
import type { Bdf, Capture, CapturedDevice, WalkResult } from '@iommu/inspect'
import { openCapture } from '../capture-folder.js'
import { readArguments } from '../arguments.js'
import { EXIT, printJson, printLines, UsageError } from '../io.js'
import type { Io, Verb } from '../io.js'
import { painter, wrap } from '../text.js'

const usage = `
iommu walk <capture> --rid BDF [--pasid N] --iova X ... [--write]
           [--expect translated|blocked] [--json]

What becomes of a DMA, entry by entry.

  --rid      00:04.0, 0000:00:04.0, or the requester id (StreamID) as 0x20
  --pasid    decimal, or 0x...; without it a request without PASID (SSID)
  --iova     an address in hexadecimal, with or without 0x; may be repeated;
             - reads a list from stdin, one a line
  --write    a write; else a read
  --expect   exit 1 unless every answer is this one
`

const bad = (place: string, expected: string, found: string): InputError =>
  new InputError({ file: 'the arguments', place, expected, found: `"${found}"` })

const readRid = (text: string): Bdf => {
  if (/^0x[0-9a-f]{1,4}$/i.test(text)) return { segment: undefined, requesterId: Number(text) }
  const bdf = readBdf(text)
  if (bdf === undefined) throw bad('--rid', 'a device such as 00:04.0, or a requester id such as 0x20', text)
  return bdf
}

const findDevice = ({ devices }: Capture, text: string): CapturedDevice => {
  const wanted = readRid(text)
  const byName = devices.filter(({ bdf }) => sameDevice(readBdf(bdf) as Bdf, wanted))
  const matching = byName.length > 0 || wanted.segment !== undefined
    ? byName : devices.filter(({ requesterId }) => requesterId === wanted.requesterId)
  if (matching.length === 1) return matching[0] as CapturedDevice
  const names = (matching.length > 1 ? matching : devices).map(({ bdf }) => bdf).join(' ')
  throw bad('--rid', matching.length > 1 ? `one device: ${names}` : `a device of the capture: ${names}`, text)
}

const readPasid = (text: string): number => {
  const value = /^(0x[0-9a-f]+|\d+)$/i.test(text) ? Number(text) : NaN
  if (!(value < 0x100000)) throw bad('--pasid', 'a number below 0x100000', text)
  return value
}

const readIova = (text: string): bigint => {
  const digits = text.trim().replace(/^0x/i, '').replaceAll('_', '')
  if (!/^[0-9a-f]{1,16}$/i.test(digits)) throw bad('--iova', 'an address of up to 64 bits in hexadecimal', text.trim())
  return BigInt(`0x${digits}`)
}

const readList = (text: string): string[] =>
  text
    .split('\n')
    .map((line) => line.replace(/#.*/, '').trim())
    .filter((line) => line !== '')
    .flatMap((line) => line.split(/[\s,]+/))

const SIZES: readonly (readonly [shift: bigint, unit: string])[] = [[30n, 'GiB'], [20n, 'MiB'], [10n, 'KiB']]
const sizeOf = (bytes: bigint): string => {
  const found = SIZES.find(([shift]) => bytes >> shift > 0n)
  return found === undefined ? `${bytes} bytes` : `${bytes >> found[0]} ${found[1]}`
}

const answer = (result: WalkResult, io: Io): string => {
  const paint = painter(io)
  if (result.outcome === 'blocked') {
    const { fault } = result
    if (fault === undefined) return `${paint('wrong', 'blocked')}, and no event tells of it`
    const quiet = fault.recorded ? '' : '; not logged'
    return `${paint('wrong', 'blocked')}: 0x${fault.code.toString(16).padStart(2, '0')} ${fault.name}${fault.meaning === undefined ? '' : `: ${fault.meaning}`}${quiet}${
      fault.note === undefined ? '' : ` (${fault.note})`
    }`
  }
  const { read, write } = result.permissions as { read: boolean; write: boolean }
  const rights = [read ? 'read' : '', write ? 'write' : ''].filter((each) => each !== '').join(' and ')
  const pageSize = BigInt(result.pageSize ?? 0)
  const page = result.pageEntries > 0 ? `, ${sizeOf(pageSize)} page` : ''
  return `${paint('set', 'translated')} to ${paint('address', result.address as string)}, ${rights}${page}, ${
    result.tag
  }`
}

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
    ...wrap(`  ${answer(result, io)}`, io.columns, 4),
  ]
}

export const verb: Verb = {
  name: 'walk',
  summary: 'one DMA through recorded tables, step by step',
  usage,
  async run(args, io) {
    const {
      values,
      positionals: [folder, ...more],
    } = readArguments(args, {
      rid: { type: 'string' },
      pasid: { type: 'string' },
      iova: { type: 'string', multiple: true },
      write: { type: 'boolean' },
      expect: { type: 'string' },
      json: { type: 'boolean' },
    })
    const { rid, iova = [], expect } = values
    if (folder === undefined || rid === undefined || iova.length === 0) {
      throw new UsageError(
        'expected a capture folder, --rid and --iova, as in: iommu walk ./capture --rid 00:04.0 --iova 0x1000',
      )
    }
    if (expect !== undefined && expect !== 'translated' && expect !== 'blocked')
      throw bad('--expect', 'translated or blocked', expect)
    const capture = await openCapture(folder)
    const device = findDevice(capture, rid)
    const pasid = values.pasid === undefined ? undefined : readPasid(values.pasid)
    const texts = [...iova, ...more]
    const list = texts.includes('-') ? readList(await io.stdin()) : []
    const results = texts.flatMap((text) => (text === '-' ? list : [text])).map((text) => walkCapture(capture, {
      source: device.requesterId, iova: readIova(text), access: values.write === true ? 'write' : 'read',
      ...(pasid === undefined ? {} : { pasid }),
    }))
    if (values.json === true) {
      printJson(io, {
        schema: 'iommu.walk/1', device: device.bdf, requesterId: `0x${device.requesterId.toString(16)}`,
        ...(pasid === undefined ? {} : { pasid }), results,
      })
    } else {
      const name = device.bdf
      printLines(io, results.flatMap((result) => report(name, pasid, result, io)))
    }
    const others = expect === undefined ? [] : results.filter(({ outcome }) => outcome !== expect)
    if (others.length > 0)
      io.stderr(
        `iommu walk: ${others.length} of ${results.length} not ${expect}: ${others
          .slice(0, 4)
          .map((each) => each.iova)
          .join(' ')}\n`,
      )
    return others.length > 0 ? EXIT.no : EXIT.fine
  },
}
