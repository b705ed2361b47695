// What tables make of every device: the command's table, each line a button that asks about its DMA.
import { faultLines, inspectionTitle, shortNames } from '@iommu/inspect'
import type { Effect, Inspection } from '@iommu/inspect'

interface Props {
  readonly inspection: Inspection
  readonly chosen: { readonly rid: string; readonly pasid: string }
  onChoose(rid: string, pasid: string): void
}

/** The word is always beside it. */
const MARKS: Readonly<Record<Effect, string>> = { translated: '→', identity: '=', blocked: '✗', invalid: '!' }

interface LineProps {
  readonly name: string
  readonly spoken: string
  readonly effect: Effect
  readonly why: string
  readonly current: boolean
  onChoose(): void
}

const Line = ({ name, spoken, effect, why, current, onChoose }: LineProps) => (
  <li>
    <button type="button" class={`device ${effect}`} aria-pressed={current} aria-label={`${spoken}: ${effect}, ${why}`} onClick={onChoose}>
      <code>{name}</code> <span class="effect"><span aria-hidden="true">{MARKS[effect]}</span> {effect}</span> <span class="why">{why}</span>
    </button>
  </li>
)

export const DeviceList = ({ inspection, chosen, onChoose }: Props) => {
  const short = shortNames(inspection.devices)
  return (
    <section aria-label="devices">
      <h2>{inspectionTitle(inspection)}</h2>
      <ul class="devices">
        {inspection.devices.flatMap(({ bdf, effect, why, pasids, caution, pasidsLeftOut }) => [
          <Line key={bdf} name={short(bdf)} spoken={bdf} effect={effect} why={why} current={chosen.rid === bdf && chosen.pasid === ''} onChoose={() => onChoose(bdf, '')} />,
          ...(caution === undefined ? [] : [<li key={`${bdf} caution`} class="caution">! {caution}; the entries below are what it keeps from use</li>]),
          ...pasids.map(({ pasid, effect: under, why: because }) => (
            <Line
              key={`${bdf} ${pasid}`} name={`  ${pasid}`} spoken={`${bdf} PASID ${pasid}`} effect={under} why={because}
              current={chosen.rid === bdf && chosen.pasid === String(pasid)} onChoose={() => onChoose(bdf, String(pasid))}
            />
          )),
          ...(pasidsLeftOut === undefined ? [] : [<li key={`${bdf} more`} class="aside">and {pasidsLeftOut} more PASIDs</li>]),
        ])}
      </ul>
      {faultLines(inspection).map((line) => <p key={line} class="waiting"><b>fault waiting</b>  {line}</p>)}
      {(inspection.cautions ?? []).map((line) => <p key={line} class="aside">! {line}</p>)}
    </section>
  )
}
