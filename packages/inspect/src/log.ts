// Explains a log: every IOMMU line in it, whoever wrote it, with repeats counted and devices summed up. The log may come
// in pieces, and however long it is, what is kept of it is bounded.
import type { Explained } from './explained.js'
import { createTally } from './tally.js'
import type { DeviceSummary } from './tally.js'
import type { LogPlace, LogReader } from './vendor.js'
import { loadReader, vendorsOfLog } from './vendors.js'
import type { Speaking, VendorId } from './vendors.js'

export type { DeviceSummary, ReasonCount } from './tally.js'

/** What is made of a log, or of one line or name. */
export interface Explanation {
  readonly schema: 'iommu.explain/1'
  readonly items: readonly Explained[]
  readonly devices: readonly DeviceSummary[]
  /** Lines about an IOMMU that are not faults: start-up messages and the like. */
  readonly otherLines: number
  /** Reports that are in no item and no device, where there are very many kinds of them. */
  readonly leftOut?: number
}

/** Takes a log piece by piece; pieces may end anywhere. */
export interface LogExplainer {
  write(piece: string): Promise<void>
  end(): Promise<Explanation>
}

/** Of a line no more is read: kernels write no longer ones, and an expression must not see a megabyte at once. */
const LONGEST = 4096
/** Characters that are looked through at once for the vendors of whom they speak. */
const PIECE = 2 ** 18
/** A fault that is reported by an IOMMU which this package does not explain: "rk_iommu ff914000.iommu: Page fault at ...". */
const UNEXPLAINED = /\b([a-z][\w-]{0,40}(?:(?:io|s|ip)mmu[\w-]{0,20} [\w.:@-]{1,60}| [\w@-]{1,40}\.iommu)): .{0,200}\bfault\b/i
/** What every such line has. */
const SOME_MMU = 'mmu'
const ABOUT_IOMMU = /\b(?:DMAR(?:-IR)?|dmar\d{1,4}|INTR-REMAP|iommu|AMD-Vi|arm-smmu(?:-v3)?)\b/
/**
 * Equal lines that a log daemon wrote once: rsyslog's "message repeated 3 times: [ the line]", and the older "last message repeated 3
 * times". The number is that of further ones, beside the line before.
 */
const REPEATED = /\bmessage repeated (\d{1,9}) times?(?:: \[ ?(.{0,4096})\]|(?: ---)?)$/
/** What every such line has. */
const SOME_REPEATED = 'message repeated'
/** So many repetitions are read one by one, as words of an event must be: several of them may be equal. */
const SINGLY = 8
/** The time that begins a line: of dmesg in seconds, of a journal. */
const TIME = /^(?:<\d{1,3}>)?(?:\[\s{0,12}(\d{1,9}\.\d{1,9})\]|([A-Z][a-z]{2} {1,2}\d{1,2} \d{2}:\d{2}:\d{2}|\d{4}-\d{2}-\d{2}T[\d:.,+-]{8,24}))/

/**
 * What moves a terminal's cursor or colours it (dmesg --color, journalctl), and other characters that are no text: they
 * would hide what a line says, and come out of here as they went in. Tabs and newlines stay.
 */
const ESCAPE = String.fromCharCode(27)
const NO_TEXT = new RegExp([
  String.raw`${ESCAPE}\[[0-?]{0,40}[ -/]{0,4}[@-~]`, String.raw`${ESCAPE}\][^\u0007\n${ESCAPE}]{0,400}(?:\u0007|${ESCAPE}\\)`,
  String.raw`[\0-\x08\x0b-\x1f\x7f-\x9f]`,
].join('|'), 'g')

const timeOf = (line: string): string | undefined => {
  const [, seconds, clock] = TIME.exec(line) ?? []
  return seconds === undefined ? clock : `${seconds} s`
}

/** A copy of a line: part of a piece would keep the whole piece in memory. */
const ownCopy = (line: string): string => ` ${line}`.slice(1)

/** A log in pieces: `write` each, then `end`. */
export const createLogExplainer = (): LogExplainer => {
  const tally = createTally()
  const readers = new Map<VendorId, LogReader>()
  let otherLines = 0
  let order = 0
  /** The line that the last piece ended in. */
  let rest = ''
  /** The line before, for "last message repeated". */
  let before = ''
  /** How often the line that is being read was logged. */
  let times = 1
  const other = (): void => { otherLines += times }

  /** `written`: the line that the log has in its place. */
  const takeOne = (line: string, written: string, speaking: readonly Speaking[]): void => {
    const place = (): LogPlace => ({ order: order++, time: timeOf(written), times })
    for (const { id, speaks } of speaking) {
      if (!speaks.test(line)) continue
      if ((readers.get(id) as LogReader).take(ownCopy(line), place())) return
    }
    const [, who] = (line.includes(SOME_MMU) ? UNEXPLAINED.exec(line) : null) ?? []
    if (who !== undefined) tally.add({ kind: 'other-vendor', input: ownCopy(line), count: 1, vendor: who.split(' ')[0] as string }, place())
    else if (ABOUT_IOMMU.test(line) && line.includes(':')) other()
  }

  const take = (line: string, speaking: readonly Speaking[]): void => {
    const [, count, repeated = before] = (line.includes(SOME_REPEATED) ? REPEATED.exec(line) : null) ?? []
    if (count === undefined) {
      before = line
      takeOne(line, line, speaking)
      return
    }
    const further = Number(count)
    before = repeated
    if (repeated === '' || further === 0) return
    if (further > SINGLY) {
      times = further
      takeOne(repeated, line, speaking)
      times = 1
    } else for (let each = 0; each < further; each++) takeOne(repeated, line, speaking)
  }

  /** Whole lines. */
  const takeAll = async (whole: string): Promise<void> => {
    const text = whole.replace(NO_TEXT, '')
    // What "last message repeated" says again may stand in the piece before.
    const speaking = vendorsOfLog(before === '' || !text.includes(SOME_REPEATED) ? text : `${before}\n${text}`)
    for (const { id } of speaking) if (!readers.has(id)) readers.set(id, await loadReader(id, tally.add, other))
    if (speaking.length === 0 && !text.includes(SOME_MMU) && !ABOUT_IOMMU.test(text)) {
      before = ''
      return
    }
    for (let start = 0; start < text.length;) {
      const next = text.indexOf('\n', start)
      const end = next < 0 ? text.length : next
      const line = text.slice(start, Math.min(end, start + LONGEST)).trim()
      if (line !== '') take(line, speaking)
      start = end + 1
    }
  }

  return {
    async write(piece) {
      for (let start = 0; start < piece.length; start += PIECE) {
        const text = rest + piece.slice(start, start + PIECE)
        const end = text.lastIndexOf('\n') + 1
        // Of a line without an end only its beginning is kept.
        rest = ownCopy(text.slice(end, end + LONGEST))
        await takeAll(text.slice(0, end))
      }
    },
    async end() {
      await takeAll(rest)
      rest = ''
      for (const reader of readers.values()) reader.end()
      const { items, devices, leftOut } = tally.result()
      return { schema: 'iommu.explain/1', items, devices, otherLines, ...(leftOut === 0 ? {} : { leftOut }) }
    },
  }
}

/** Every IOMMU line of a log; equal reports are counted, whatever their timestamps. */
export const explainLog = async (text: string): Promise<Explanation> => {
  const explainer = createLogExplainer()
  await explainer.write(text)
  return explainer.end()
}
