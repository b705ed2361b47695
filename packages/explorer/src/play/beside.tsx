// The same change on other hardware, side by side.
import { effort, play, verdictLines } from '@iommu/film'
import type { Film } from '@iommu/film'
import { useState } from 'preact/hooks'
import { useAnswer } from '../parts/answer.js'
import { DRIVERS, loadDriver } from './drivers.js'
import type { DriverName } from './drivers.js'
import { FilmStrip } from './film-strip.js'

interface Props {
  readonly film: Film
  readonly chosen: readonly DriverName[]
  onChoose(chosen: readonly DriverName[]): void
}

/** A format of one driver is "paging" to the others. */
const general = (state: string): string => (['blocked', 'identity', 'sva'].includes(state) ? state : state === 'unset' ? 'blocked' : 'paging')

interface ColumnProps {
  readonly name: DriverName
  readonly from: string
  readonly to: string
  readonly pasid: number | undefined
}

const Column = ({ name, from, to, pasid }: ColumnProps) => {
  const [at, go] = useState(0)
  const answer = useAnswer(async () => {
    const { backends: [backend] } = await loadDriver(name)
    return backend === undefined ? undefined : play(backend, { from, to, ...(pasid === undefined ? {} : { pasid }) })
  }, [name, from, to, pasid])
  return (
    <article>
      <h3>{DRIVERS[name]}</h3>
      {answer.state === 'failed' && <p class="aside">not here: {answer.why}</p>}
      {answer.state === 'here' && answer.value !== undefined && (
        <>
          <p class="aside">{answer.value.backend}: {answer.value.from} → {answer.value.to}</p>
          <p>{effort(answer.value)}</p>
          {verdictLines(answer.value).map((line) => <p key={line}>{line}</p>)}
          <FilmStrip film={answer.value} at={Math.min(at, answer.value.frames.length - 1)} onGo={go} />
        </>
      )}
    </article>
  )
}

const ALL = Object.keys(DRIVERS).filter((name) => name !== 'driver-legacy-nodefault') as DriverName[]

export const Beside = ({ film, chosen, onChoose }: Props) => {
  const [from, to] = [general(film.from), general(film.to)]
  return (
    <section class="beside" aria-label="side by side">
      <h2>The same change elsewhere: {from} replaced by {to}{film.point.pasid === undefined ? '' : ', on a PASID'}</h2>
      <p class="examples">{ALL.map((name) => (
        <button key={name} type="button" class="chip" aria-pressed={chosen.includes(name)}
          onClick={() => onChoose(chosen.includes(name) ? chosen.filter((each) => each !== name) : [...chosen, name])}>{DRIVERS[name]}</button>
      ))}
      {chosen.length < ALL.length && <button type="button" class="chip" onClick={() => onChoose(ALL)}>all four</button>}</p>
      <div class="columns">{ALL.filter((name) => chosen.includes(name)).map((name) => <Column key={name} name={name} from={from} to={to} pasid={film.point.pasid} />)}</div>
    </section>
  )
}
