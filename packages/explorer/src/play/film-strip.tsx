// The steps of a film, one below the other, each with what DMA could meet after it: the command's own lines.
import { frameText, KIND, metText, movingProbes } from '@iommu/film'
import type { Film, Frame, Met } from '@iommu/film'

interface Props {
  readonly film: Film
  readonly at: number
  onGo(frame: number): void
}

const SIGNS: Readonly<Record<Met['is'], string>> = { old: '○', new: '●', both: '=', blocked: '✗', neither: '!' }

/** Signs for each DMA that moves; the words are beside them. */
export const Signs = ({ answers, label }: { readonly answers: readonly Met[]; readonly label: string }) => (
  <span class="met">{label} {[...new Set(answers.map(({ is }) => is))].map((is) => <span key={is} class={`sign ${is}`} aria-hidden="true">{SIGNS[is]}</span>)} {metText(answers)}</span>
)

/** Said once: steps after which DMA meets the same say nothing of it. */
const seenAt = ({ dma }: Frame, moving: readonly number[]): string => moving.map((probe) => metText(dma[probe] ?? [])).join()

export const FilmStrip = ({ film, at, onGo }: Props) => {
  const moving = movingProbes(film)
  return (
    <ol class="strip" aria-label="steps">
      {film.frames.map((frame, index) => {
        const [head = '', ...more] = frameText(frame)
        const seen = seenAt(frame, moving)
        return (
          <li key={index}>
            <button type="button" class={`step ${frame.kind}`} aria-current={index === at ? 'step' : undefined} onClick={() => onGo(index)}>
              <span class="kind">{KIND[frame.kind]}</span>
              <span class="what">{head}{more.map((line) => <span key={line} class="field">{line}</span>)}</span>
              {frame.stale.length > 0 && <span class="stale-mark">▨ {frame.stale.length === 1 ? 'a stale copy' : `${frame.stale.length} stale copies`}</span>}
              {(index === 0 || seen !== seenAt(film.frames[index - 1] as Frame, moving))
                && moving.map((probe, number) => <Signs key={probe} label={`DMA ${number + 1}:`} answers={frame.dma[probe] ?? []} />)}
            </button>
          </li>
        )
      })}
    </ol>
  )
}
