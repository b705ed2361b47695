// One driver in full, and its verdict step by step: what each tried address meets after each step of the body.
import { classifiedRows, replay } from '@iommu/driver-legacy-nodefault/history'
import type { Classification, ReplayedAnswer, Subject } from '@iommu/driver-legacy-nodefault/history'
import { useMemo } from 'preact/hooks'

interface Props {
  readonly classification: Classification
  readonly subject: Subject
  /** Whether the device was busy before, so that caches know its pages. */
  readonly warm: boolean
  onWarm(warm: boolean): void
}

const meets = ({ meets: all, address }: ReplayedAnswer): string =>
  all.map((each) => (each === 'blocked' ? '✗ blocked' : each === address ? '= itself' : `→ ${each}`)).join(' or ')

const placesOf = (answers: readonly ReplayedAnswer[]): string[] => [...new Set(answers.map(({ place, address }) => `${place} ${address}`))]

/** Read and write as one where they meet the same. */
const cellOf = (answers: readonly ReplayedAnswer[], wanted: string): string => {
  const here = answers.filter(({ place, address }) => `${place} ${address}` === wanted)
  const said = here.map(meets)
  return new Set(said).size <= 1 ? said[0] ?? '' : here.map((answer, index) => `${answer.access}: ${said[index]}`).join(', ')
}

export const DriverInFull = ({ classification, subject, warm, onWarm }: Props) => {
  const steps = useMemo(() => replay(subject, warm), [subject, warm])
  const places = placesOf(steps[0]?.answers ?? [])
  return (
    <section class="explained" aria-label={`${classification.driver} in full`}>
      <article>
        <h2>{classification.driver} · {classification.effect}</h2>
        <dl>{classifiedRows(classification).map(([label, text], index) => <div key={index} class={`row ${label}`}><dt>{label}</dt><dd>{text}</dd></div>)}</dl>
        <h3 class="replay">The verdict, step by step</h3>
        <label class="choice"><input type="checkbox" checked={warm} onChange={(event) => onWarm(event.currentTarget.checked)} /> <span>the device was busy before: caches know its pages</span></label>
        <div class="replayed" role="region" aria-label="steps and answers" tabIndex={0}>
          <table>
            <thead><tr><th scope="col">step</th>{places.map((place) => <th key={place} scope="col">{place}</th>)}</tr></thead>
            <tbody>{steps.map(({ step, answers }, index) => (
              <tr key={index}>
                <th scope="row">{step ?? 'attached, before detach_dev'}</th>
                {places.map((place) => {
                  const cell = cellOf(answers, place)
                  const before = index === 0 ? cell : cellOf(steps[index - 1]?.answers ?? [], place)
                  return <td key={place} class={cell === before ? '' : 'turned'}>{cell}</td>
                })}
              </tr>
            ))}</tbody>
          </table>
        </div>
      </article>
    </section>
  )
}
