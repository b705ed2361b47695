// The film of one change: a slider over its steps, and of the step: the entry, the way of each DMA, what it may meet.
import { effort, frameText, KIND, meetingText, movingProbes, pointText, probeText, verdictLines } from '@iommu/film'
import type { Film, FilmedProbe, Frame } from '@iommu/film'
import { useEffect, useState } from 'preact/hooks'
import { FilmStrip, Signs } from './film-strip.js'
import { NetChange } from './net-change.js'
import { PathBoxes } from './path-boxes.js'
import { StoredEntry } from './stored-entry.js'

interface Props {
  readonly film: Film
  readonly at: number
  onGo(frame: number): void
}

const PACE = 1300

/** What one reads first: judged, in one line or more. */
const Verdict = ({ film }: { readonly film: Film }) => (
  <div class={`verdict ${film.held === false ? 'broken' : film.refused !== undefined ? 'refused' : 'held'}`} role="status">
    {film.refused === undefined && <p>{effort(film)}</p>}
    {verdictLines(film).map((line, index) => <p key={index} class={index === 0 ? 'first' : ''}>{line}</p>)}
  </div>
)

/** What a copy says is an object in the film's line; here its members are read out. */
const plainly = (line: string): string => line.replace(/[{}"]/g, '').replaceAll(':', ' ').replaceAll(',', ', ')

const Player = ({ film, at, onGo }: Props) => {
  const last = film.frames.length - 1
  const [running, run] = useState(false)
  useEffect(() => {
    if (!running) return undefined
    const timer = setTimeout(() => (at >= last ? run(false) : onGo(at + 1)), PACE)
    return () => clearTimeout(timer)
  }, [running, at, last])
  const frame = film.frames[at] as Frame
  const toggle = (): void => {
    if (!running && at >= last) onGo(0)
    run(!running)
  }
  return (
    <div class="player">
      <button type="button" aria-label="step back" disabled={at === 0} onClick={() => onGo(at - 1)}>◀</button>
      <button type="button" class="primary" aria-pressed={running} onClick={toggle}>{running ? 'Pause' : 'Play'}</button>
      <button type="button" aria-label="step on" disabled={at === last} onClick={() => onGo(at + 1)}>▶</button>
      <input
        type="range" min={0} max={last} value={at} aria-label="step of the film"
        aria-valuetext={`step ${at} of ${last}: ${KIND[frame.kind]} ${frameText(frame).join(', ')}`}
        onInput={(event) => onGo(Number(event.currentTarget.value))}
      />
      <span class="count">{at} / {last}</span>
    </div>
  )
}

const Now = ({ film, at }: { readonly film: Film; readonly at: number }) => {
  const frame = film.frames[at] as Frame
  const moving = movingProbes(film)
  const shown = moving.length > 0 ? moving : film.probes.slice(0, 1).map((_, index) => index)
  const [head = '', ...more] = frameText(frame)
  return (
    <div class="now">
      <p class="happens" aria-live="polite"><span class={`kind ${frame.kind}`}>{KIND[frame.kind]}</span> {head}
        {more.map((line) => <span key={line} class="field">{line}</span>)}
        {frame.kind === 'start' && 'The old domain is set; nothing has been stored yet.'}
        {frame.kind === 'end' && 'All is done; DMA begins after it.'}
      </p>
      {frame.store !== undefined && <StoredEntry store={frame.store} />}
      {frame.stale.length > 0 && <ul class="stale" aria-label="stale copies in caches">{frame.stale.map((line) => <li key={line}><b>▨ stale copy</b> {plainly(line)}</li>)}</ul>}
      {shown.map((index, number) => (
        <div key={index} class="dma">
          <p><b>DMA {number + 1}</b> {probeText(film.probes[index] as FilmedProbe)} may meet: <Signs label="" answers={frame.dma[index] ?? []} />
            <span class="aside"> Tables in memory lead it here:</span></p>
          <PathBoxes probe={film.probes[index] as FilmedProbe} frame={frame} index={index} />
        </div>
      ))}
    </div>
  )
}

export const FilmView = ({ film, at, onGo }: Props) => {
  const moving = movingProbes(film)
  return (
    <section class="film" aria-label="film">
      <h2>{pointText(film.point)}: {film.from === 'unset' ? <><b>{film.to}</b> is set</> : <><b>{film.from}</b> replaced by <b>{film.to}</b></>}</h2>
      {moving.map((index, number) => {
        const probe = film.probes[index] as FilmedProbe
        return <p key={index} class="probe">DMA {number + 1}  {probeText(probe)}: {meetingText(probe.before)} → {meetingText(probe.after)}</p>
      })}
      <div class="outcome">
        <Verdict film={film} />
        <NetChange film={film} />
      </div>
      <Player film={film} at={at} onGo={onGo} />
      <div class="reel">
        <FilmStrip film={film} at={at} onGo={onGo} />
        <Now film={film} at={at} />
      </div>
    </section>
  )
}
