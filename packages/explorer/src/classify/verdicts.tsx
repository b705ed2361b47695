// The table of the thread: driver, what its detach did, whether the guess of 2022 held, and what Linux 7.3.4 has.
import { heldSaid, todaySaid } from '@iommu/driver-legacy-nodefault/history'
import type { Classification, Effect } from '@iommu/driver-legacy-nodefault/history'

interface Props {
  readonly found: readonly Classification[]
  readonly chosen: string
  onChoose(driver: string): void
}

const MARKS: Readonly<Record<Effect, string>> = { blocked: '✗', identity: '=', none: '○', platform: '⌂', mixed: '≠' }

export const Verdicts = ({ found, chosen, onChoose }: Props) => (
  <div class="verdicts">
    <table>
      <thead><tr><th scope="col">driver</th><th scope="col">detach</th><th scope="col">held</th><th scope="col">guess of May 2022; what Linux 7.3.4 has</th></tr></thead>
      {[...new Set(found.map(({ list }) => list))].map((list) => (
        <tbody key={list}>
          <tr class="list"><th scope="rowgroup" colSpan={4}>{list}</th></tr>
          {found.filter((each) => each.list === list).map((each) => (
            <tr key={each.driver} class={each.driver === chosen ? 'lit' : ''}>
              <th scope="row"><button type="button" class="quiet" aria-expanded={each.driver === chosen} onClick={() => onChoose(each.driver)}>{each.driver}</button></th>
              <td class={`effect ${each.effect}`}><span aria-hidden="true">{MARKS[each.effect]}</span> {each.effect}</td>
              <td>{heldSaid(each)}</td>
              <td>{each.guess2022 ?? 'no guess'}; {todaySaid(each)}</td>
            </tr>
          ))}
        </tbody>
      ))}
    </table>
  </div>
)
