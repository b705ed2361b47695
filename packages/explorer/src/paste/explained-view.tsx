// What fault lines, names and codes mean: the command's own lines.
import { explainedBlocks, explanationSummary } from '@iommu/inspect'
import type { Explanation } from '@iommu/inspect'

interface Props {
  readonly explanation: Explanation
  /** Shows an entry's bits. */
  onEntry(name: string): void
}

/** The entry that a block is about, where it is about one or a field of one: its bits are a click away. */
const entryOf = ({ items }: Explanation, title: string): string | undefined => {
  const item = items.find(({ kind, input, name }) => (kind === 'field' && name === title) || (kind === 'entry' && input === title))
  return item?.kind === 'field' ? item.name?.slice(0, item.name.lastIndexOf('.')) : item?.name
}

export const ExplainedView = ({ explanation, onEntry }: Props) => {
  const blocks = explainedBlocks(explanation)
  return (
    <section class="explained" aria-label="what it says">
      {blocks.length === 0 && <p class="big">No fault was found in it.</p>}
      {blocks.map(({ title, rows }, index) => {
        const entry = entryOf(explanation, title)
        return (
          <article key={index}>
            <h3 class="line">{title}</h3>
            <dl>
              {rows.map(([label, text], row) => <div key={row} class={`row ${label}`}><dt>{label}</dt><dd>{text}</dd></div>)}
            </dl>
            {entry !== undefined && <button type="button" class="quiet" onClick={() => onEntry(entry)}>show its bits</button>}
          </article>
        )
      })}
      {explanationSummary(explanation).map((line, index) => <p key={index} class="summary">{line}</p>)}
    </section>
  )
}
