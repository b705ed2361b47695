// The way of one DMA, entry by entry, to an address or to where it stops. Each entry shows its bits when asked.
import { wordCount } from '@iommu/bits'
import { findEntry, walkAnswer } from '@iommu/inspect'
import type { WalkedStep, WalkResult } from '@iommu/inspect'
import { useState } from 'preact/hooks'
import { useAnswer } from '../parts/answer.js'
import { EntryView } from '../paste/entry-view.js'

const Bits = ({ step: { entry, words } }: { readonly step: WalkedStep }) => {
  const answer = useAnswer(async () => {
    const owner = await findEntry(entry)
    const bits = words.map(BigInt)
    return bits.length === wordCount(owner) ? { owner, bits } : undefined
  }, [entry, words.join()])
  if (answer.state === 'failed') return <p class="aside">{answer.why}</p>
  return answer.state === 'here' && answer.value !== undefined ? <EntryView owner={answer.value.owner} words={answer.value.bits} /> : null
}

const used = (words: readonly string[]): string =>
  words.slice(0, Math.max(1, words.findLastIndex((word) => BigInt(word) !== 0n) + 1)).join(' ')

const Step = ({ step, stops }: { readonly step: WalkedStep; readonly stops: boolean }) => {
  const [open, setOpen] = useState(false)
  const { entry, address, words, note } = step
  return (
    <li class={stops ? 'box stops' : 'box'}>
      <p class="told"><b>{entry}</b>{address === null ? '' : ` at ${address}`}: {note}</p>
      {words.length > 0 && (
        <p class="words"><code>{used(words)}</code>
          <button type="button" class="quiet" aria-expanded={open} onClick={() => setOpen(!open)}>{open ? 'hide its bits' : 'show its bits'}</button></p>
      )}
      {open && <Bits step={step} />}
    </li>
  )
}

/** How a way ends. */
const ENDS = {
  translated: { sign: '→', style: 'arrives' },
  blocked: { sign: '✗', style: 'stops' },
  unknown: { sign: '?', style: 'open' },
} as const

export const WalkPath = ({ title, result }: { readonly title: string; readonly result: WalkResult }) => {
  const { outcome } = result
  const { sign, style } = ENDS[outcome]
  return (
    <section class={`walk ${outcome}`} aria-label="the way of the DMA">
      <h3>{title}, {result.access} of {result.iova}</h3>
      <ol class="path">
        {result.steps.map((step, index) => <Step key={`${step.entry} ${step.address} ${index}`} step={step} stops={outcome === 'blocked' && index === result.steps.length - 1} />)}
        <li class={`end ${style}`}><span class="sign" aria-hidden="true">{sign}</span> {walkAnswer(result)}</li>
      </ol>
      {result.caution !== undefined && <p class="caution">! {result.caution}; walked as if it were 1</p>}
    </section>
  )
}
