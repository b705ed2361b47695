// The film of a case as lines: what the case asks, what comes of it, and every step of a call with what DMA meets.
import type { Act, Scenes } from './case-film.js'
import type { FilmedProbe } from './film.js'
import { framesText, meetingText, movingProbes, probeText } from './text.js'

const SIGN: Readonly<Record<Act['kind'], string>> = { call: '', core: '', case: '', dma: 'DMA: ', failure: 'hardware: ', process: '' }

const headOf = ({ kind, text, answer }: Act): string => `${SIGN[kind]}${text}${answer === '' ? '' : ` -> ${answer}`}`

/** Looks at one DMA after the other that get the same answer are said in one line. */
const alike = (one: Act | undefined, other: Act): boolean =>
  one?.kind === 'dma' && other.kind === 'dma' && one.answer === other.answer && one.text.split(' by ')[1] === other.text.split(' by ')[1]

const INDENT: Readonly<Record<Act['kind'], string>> = { case: '', core: '', call: '  ', dma: '', failure: '', process: '' }

/** Of a long act the beginning and the end. */
const FIRST = 16
const LAST = 8
const shorten = (lines: readonly string[]): readonly string[] =>
  (lines.length <= FIRST + LAST ? lines : [...lines.slice(0, FIRST), `     ... ${lines.length - FIRST - LAST} lines more`, ...lines.slice(-LAST)])

export const renderScenes = ({ acts, before, differs, gap }: Scenes): string[] => {
  const lines = before > 0 ? [`... ${before} step${before === 1 ? '' : 's'} of the case before`] : []
  let more = 0
  const counted = (): void => {
    if (more > 0) lines.push(`     and ${more} more, all the same`)
    more = 0
  }
  for (const [index, act] of acts.entries()) {
    if (gap?.at === index) {
      counted()
      lines.push(`... ${gap.count} step${gap.count === 1 ? '' : 's'} more`)
    } else if (index !== differs && index - 1 !== differs && alike(acts[index - 1], act)) {
      more++
      continue
    }
    counted()
    lines.push(`${index === differs ? '> ' : '  '}${INDENT[act.kind]}${headOf(act)}`)
    const moving = movingProbes(act)
    lines.push(
      ...moving.map((each, at) => `       DMA ${at + 1}  ${probeText(act.probes[each] as FilmedProbe)}: ${meetingText((act.probes[each] as FilmedProbe).before)} -> ${meetingText((act.probes[each] as FilmedProbe).after)}`),
      ...shorten(framesText(act.frames, moving).map((line) => `     ${line}`)),
    )
  }
  counted()
  return differs < acts.length ? lines : [...lines, '>   and nothing more']
}
