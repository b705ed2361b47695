// Another version of the entry: what differs, and the stores and commands by which the driver gets there.
import type { Entry } from '@iommu/bits'
import { planChange, readWords } from '@iommu/inspect'
import type { PlannedChange, PlannedStep } from '@iommu/inspect'
import { useAnswer } from '../parts/answer.js'
import { spellWords } from '../parts/hex.js'
import { Notice } from '../parts/notice.js'

interface Props {
  readonly owner: Entry
  readonly from: readonly bigint[]
  /** Words of the other version; empty where there is none. */
  readonly text: string
  onText(text: string): void
}

const Step = ({ step }: { readonly step: PlannedStep }) => {
  if (step.do === 'store') {
    const { index = 0, words = [], changed = [], instead } = step
    const place = words.length > 1 ? `words ${index} and ${index + words.length - 1}` : `word ${index}`
    return <li><b>store</b> {place} = <code>{words.join(' ')}</code>: {changed.join(', ') || 'nothing'}{instead !== undefined && <span class="wrong"> ({instead})</span>}</li>
  }
  if (step.do !== 'invalidate') return <li class="aside">{step.do}</li>
  return (
    <>
      {(step.commands ?? []).map(({ entry = 'unknown', text }, index) => <li key={index}><b>cmd</b> {entry} <code>{text}</code></li>)}
      <li class="aside">wait for all of it</li>
    </>
  )
}

const Planned = ({ change: { changed, hitless, steps, stores, syncs } }: { readonly change: PlannedChange }) => (
  <div class="planned">
    <p>{changed.length === 0 ? 'Nothing differs.' : `${changed.length} ${changed.length === 1 ? 'field differs' : 'fields differ'}`}</p>
    <ul class="changed">{changed.map(({ name, before, after, meaning }) => {
      const [was, is] = meaning ?? [before, after]
      return <li key={name}><b>{name}</b> {was} → {is}</li>
    })}</ul>
    {steps.length > 0 && (
      <>
        <p><b>{hitless ? 'hitless' : 'not hitless'}</b>, {stores.length} {stores.length === 1 ? 'store' : 'stores'}, {syncs} waited for</p>
        <ol class="steps">{steps.map((step, index) => <Step key={index} step={step} />)}</ol>
      </>
    )}
  </div>
)

export const ChangeView = ({ owner, from, text, onText }: Props) => {
  const answer = useAnswer(
    () => (text.trim() === '' ? undefined : planChange(owner, from, readWords(owner, [text]).words, { source: 0, pasid: 0 })),
    [owner, from.join(), text],
  )
  return (
    <details class="compare" open={text !== ''}>
      <summary>Compare with another version of this entry</summary>
      <label class="paste">
        <span>Words of the other version</span>
        <input value={text} placeholder={spellWords(from)} spellcheck={false} autocomplete="off" onInput={(event) => onText(event.currentTarget.value)} />
      </label>
      {answer.state === 'failed' && <Notice kind="wrong">{answer.why}</Notice>}
      {answer.state === 'here' && answer.value !== undefined && <Planned change={answer.value} />}
    </details>
  )
}
