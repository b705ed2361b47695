// A film as lines of text: each step with the fields that it changes, and what DMA meets where that changes.
import type { Role } from '@iommu/bits'
import type { Film, FilmedPoint, FilmedProbe, Frame, Meeting, Met } from './film.js'

/** Colours by role, where there are any. */
export type FilmPaint = (role: Role, text: string) => string

const plain: FilmPaint = (_role, text) => text

/** "00:04.0 PASID 1" */
export const pointText = ({ bdf, pasid }: FilmedPoint): string => (pasid === undefined ? bdf : `${bdf} PASID ${pasid}`)

/** Where a DMA goes, or why it stops. */
export const meetingText = ({ result, address, fault }: Meeting): string =>
  (result === 'blocked' ? `blocked${fault === undefined ? '' : ` (${fault})`}` : address ?? '')

const NAMES: Readonly<Record<Met['is'], string>> = { old: 'old', new: 'new', both: 'as before', blocked: 'blocked', neither: 'NEITHER' }

/** "old or blocked": what a probe may meet. A mixture is shown whole. */
export const metText = (answers: readonly Met[], paint: FilmPaint = plain): string => {
  const words = [...new Set(answers.map(({ is }) => is))]
  const wrong = answers.find(({ is }) => is === 'neither')
  const text = words.map((is) => (is === 'neither' ? paint('wrong', NAMES.neither) : NAMES[is])).join(' or ')
  return wrong === undefined ? text : `${text}: ${meetingText(wrong)} under ${wrong.tag ?? 'no tag'}`
}

/** "read of 0x100000 by 00:04.0" */
export const probeText = ({ access, iova, ...point }: FilmedProbe): string => `${access} of ${iova} by ${pointText(point)}`

/** Probes whose answers before and after differ, or that meet anything else in between. */
export const movingProbes = ({ frames, probes }: Pick<Film, 'frames' | 'probes'>): number[] =>
  probes.flatMap((_, index) => (frames.some(({ dma }) => dma[index]?.some(({ is }) => is !== 'both') === true) ? [index] : []))

/** What a step is called, in a few letters. */
export const KIND: Readonly<Record<Frame['kind'], string>> = {
  'start': 'start', 'end': 'done', 'store': 'store', 'command': 'cmd', 'register': 'reg', 'order': 'order', 'write-back': 'flush',
  'allocate': 'page', 'free': 'page', 'config': 'config',
}

/** Text that its kind says already is left out. */
export const frameText = ({ kind, text, command, store, changed }: Frame, paint: FilmPaint = plain): string[] => {
  switch (kind) {
    case 'start': case 'end': case 'order': return ['']
    case 'command': return [`${paint('name', command?.name ?? 'unknown')}  ${command?.text ?? ''}`]
    case 'store': {
      if (store?.entry === undefined) return [text.replace(/^store /, '')]
      const { name, address } = store.entry
      const at = Number((BigInt(store.address) - BigInt(address)) / 8n)
      const head = `${paint('name', name)} at ${paint('address', address)}, ${store.after.length === 2 ? `words ${at} and ${at + 1}` : `word ${at}`} = ${store.after.join(' ')}`
      return [head, ...changed.map(({ name: field, before, after, meaning }) => `  ${field}  ${meaning?.[0] ?? before} -> ${meaning?.[1] ?? after}`)]
    }
    case 'allocate': return [`${text.replace(/^allocate /, '')} is taken`]
    case 'free': return [`${text.replace(/^free /, '')} is given back`]
    default: return [text.replace(new RegExp(`^${kind} `), '')]
  }
}

/** What has become of points that nobody set: each DMA is judged by its own before and after, so that no sentence of the verdict says it. */
const disturbed = ({ point, probes }: Film, paint: FilmPaint): string[] => probes
  .filter(({ bdf, pasid }) => bdf !== point.bdf || pasid !== point.pasid)
  .filter(({ before, after }) => before.result !== after.result || before.address !== after.address)
  .map((probe) => paint('wrong', `but nobody set ${pointText(probe)}, and it has changed: ${probe.access} of ${probe.iova}, ${meetingText(probe.before)} -> ${meetingText(probe.after)}`))

/** How the change is judged: one line, or one for each finding. */
export const verdictLines = (film: Film, paint: FilmPaint = plain): string[] => {
  const { held, interrupted, findings, refused } = film
  if (refused !== undefined) return [`refused: ${refused.message} (${refused.code}); everything is as it was`]
  if (held === undefined) return ['not judged: this backend has no adversarial mode; caches are as the model keeps them, filled by each DMA once before the change']
  if (!held) return [paint('wrong', 'NOT HELD'), ...findings.map(({ sentence, step, says }) => `  ${sentence}, at "${step}": ${says}`)]
  return [`held at every step: ${interrupted === true ? 'old, new or blocked' : 'old or new'}, and nothing stale at the end`, ...disturbed(film, paint)]
}

const counted = (count: number, what: string): string => `${count} ${what}${count === 1 ? '' : 's'}`

/** "4 stores, 4 commands" */
export const effort = ({ frames }: Film): string => {
  const of = (kind: Frame['kind']): number => frames.filter((frame) => frame.kind === kind).length
  return `${counted(of('store'), 'store')}, ${counted(of('command'), 'command')}${of('register') === 0 ? '' : `, ${counted(of('register'), 'register write')}`}`
}

/** Steps, and what each of the probes may meet wherever that changes. */
export const framesText = (frames: readonly Frame[], moving: readonly number[], paint: FilmPaint = plain): string[] => {
  const lines: string[] = []
  let last = ''
  let step = 0
  for (const frame of frames) {
    const seen = moving.map((index) => `DMA ${moving.indexOf(index) + 1}: ${metText(frame.dma[index] ?? [], paint)}`).join(', ')
    const [head = '', ...more] = frameText(frame, paint)
    if (frame.kind === 'end') {
      if (seen !== last) lines.push('  done')
    } else if (frame.kind !== 'start') {
      step++
      lines.push(`${String(step).padStart(3)}  ${KIND[frame.kind].padEnd(6)} ${head}`.trimEnd(), ...more.map((line) => `            ${line}`))
    }
    if (seen !== last && seen !== '') lines.push(paint('note', `            -> ${seen}`))
    last = seen
  }
  return lines
}

/** Lines of at most any width; who prints them wraps. */
export const renderFilm = (whole: Film, paint: FilmPaint = plain): string[] => {
  const { backend, driver, frames, from, point, probes, to } = whole
  const moving = movingProbes(whole)
  const lines = [
    `${driver}, ${backend}: ${pointText(point)} from ${paint('name', from)} to ${paint('name', to)}`,
    ...moving.map((index) => {
      const probe = probes[index] as FilmedProbe
      return `  DMA ${moving.indexOf(index) + 1}  ${probeText(probe)}: ${meetingText(probe.before)} -> ${meetingText(probe.after)}`
    }),
    '',
  ]
  lines.push(...framesText(frames, moving, paint))
  return [...lines, '', ...(whole.refused === undefined ? [effort(whole)] : []), ...verdictLines(whole, paint)]
}
