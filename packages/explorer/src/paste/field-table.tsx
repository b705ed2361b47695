// The fields of an entry with value, meaning and section: the command's own words.
import { cellsOf, reservedSentences } from '@iommu/bits'
import type { Description } from '@iommu/bits'
import { rowAt } from './bit-grid.js'

interface Props {
  readonly description: Description
  readonly at: number | undefined
  onLook(bit: number | undefined): void
}

const MARKS: Readonly<Record<string, string>> = { wrong: '!' }

export const FieldTable = ({ description, at, onLook }: Props) => {
  const looked = rowAt(description, at)
  return (
    <div class="fields">
      <table>
        <thead><tr><th scope="col">bits</th><th scope="col">field</th><th scope="col">value</th><th scope="col">meaning</th><th scope="col">section</th></tr></thead>
        <tbody>
          {description.rows.map((row) => {
            const { place, value, said, unconfirmed, role } = cellsOf(row)
            return (
              <tr key={row.name} class={row === looked ? 'lit' : ''} onMouseEnter={() => onLook(row.low)} onMouseLeave={() => onLook(undefined)}>
                <td class="place">{place}</td>
                <th scope="row">{row.name}</th>
                <td class={`value ${role}`}>{MARKS[role] === undefined ? '' : `${MARKS[role]} `}{value}</td>
                <td>{said}{unconfirmed && <span class="doubt">  ? unconfirmed</span>}</td>
                <td class="section">{row.section}</td>
              </tr>
            )
          })}
        </tbody>
      </table>
      {reservedSentences(description).map((sentence) => (
        <p key={sentence} class={description.reserved.length === 0 ? 'reserved fine' : 'reserved shout'} role={description.reserved.length === 0 ? undefined : 'alert'}>
          {sentence}
        </p>
      ))}
    </div>
  )
}
