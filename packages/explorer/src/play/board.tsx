// The board: every place where a domain can be, what is on it, and what can be set.
import type { BoardPoint } from './staged.js'

interface Props {
  readonly points: readonly BoardPoint[]
  /** Index of the point of the film. */
  readonly current: number | undefined
  onSet(point: number, state: string): void
}

export const Board = ({ points, current, onSet }: Props) => (
  <section class="board" aria-label="board">
    {[...new Set(points.map(({ device }) => device))].map((device) => (
      <fieldset key={device}>
        <legend>device {device}</legend>
        {points.map(({ name, device: owner, pasid, on, states }, index) => (owner !== device ? null : (
          <div key={name} class={index === current ? 'point current' : 'point'} role="group" aria-label={`${name}: ${on ?? 'nothing set yet'}`}>
            <span class="where">{pasid === undefined ? 'no PASID' : `PASID ${pasid}`}</span>
            <span class="states">
              {states.map((state) => (
                <button key={state} type="button" class="chip" aria-pressed={state === on} onClick={() => onSet(index, state)}>{state}</button>
              ))}
            </span>
          </div>
        )))}
      </fieldset>
    ))}
  </section>
)
