// The way of a DMA through the tables in memory, root to leaf, as boxes with arrows; red where it stops.
import { meetingText, pointText } from '@iommu/film'
import type { FilmedProbe, Frame } from '@iommu/film'

interface Props {
  readonly probe: FilmedProbe
  readonly frame: Frame
  /** Index of the probe in the film. */
  readonly index: number
}

export const PathBoxes = ({ probe, frame, index }: Props) => {
  const path = frame.paths[index] ?? []
  const end = frame.ends[index]
  const blocked = end?.result !== 'translated'
  const stored = frame.store?.entry?.address
  return (
    <ol class="boxes" aria-label={`tables on the way of ${pointText(probe)}`}>
      <li class="node from"><b>{pointText(probe)}</b><span>{probe.access} of {probe.iova}</span></li>
      {path.map(({ entry, address, words, note }, step) => (
        <li key={step} class={`node ${address !== undefined && address === stored ? 'lit' : ''} ${blocked && step === path.length - 1 ? 'stops' : ''}`}>
          <b>{entry}</b>
          {address !== undefined && <code>{address}</code>}
          <code class="word">{words[0]}{words.length > 1 ? ' …' : ''}</code>
          <span>{note}</span>
        </li>
      ))}
      <li class={blocked ? 'node end stops' : 'node end'}><b>{blocked ? '✗ stops' : '→ memory'}</b><span>{end === undefined ? '' : meetingText(end)}</span></li>
    </ol>
  )
}
