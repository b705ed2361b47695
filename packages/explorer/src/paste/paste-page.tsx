// Paste anything: what it is, bit by bit and in words. The address of the page holds all of it.
import { wordCount } from '@iommu/bits'
import { useMemo } from 'preact/hooks'
import { CaptureView } from '../blocked/capture-view.js'
import { useAnswer } from '../parts/answer.js'
import { Choice } from '../parts/choice.js'
import { spellWords } from '../parts/hex.js'
import { LinkButton } from '../parts/link-button.js'
import { Notice } from '../parts/notice.js'
import type { Navigation } from '../route.js'
import { ChangeView } from './change-view.js'
import { EntryView } from './entry-view.js'
import { EXAMPLES } from './examples.js'
import { ExplainedView } from './explained-view.js'
import { recognise } from './recognise.js'
import type { EntryReading } from './recognise.js'
import { Welcome } from './welcome.js'

/** As `iommu decode` says it behind the title. */
const remarkOf = ({ owner, read: { given, inferred } }: EntryReading): string =>
  [...(given === wordCount(owner) ? [] : [`${given} of ${wordCount(owner)} words given`]), ...(inferred === undefined ? [] : [inferred])].join('; ')

const flip = (words: readonly bigint[], bit: number, wordBits: number): bigint[] =>
  words.map((word, index) => (index === Math.floor(bit / wordBits) ? word ^ (1n << BigInt(bit % wordBits)) : word))

/** The entry that was recognised, and by what. */
const ReadAs = ({ reading, onChoose }: { readonly reading: EntryReading; onChoose(name: string): void }) => {
  const { owner, fitting, named, perhapsDecimal, read } = reading
  const others = fitting.filter((each) => each !== owner)
  const label = ({ title, name }: typeof owner): string => `${title} · ${name}`
  return (
    <div class="read-as">
      <Choice
        label={named ? 'read as' : 'looks like'} value={owner.name} onChoose={onChoose}
        options={[{ value: owner.name, label: label(owner) }, ...others.map((each) => ({ value: each.name, label: label(each), group: 'the words also fit' }))]}
      />
      {!named && others.length > 0 && <span class="aside">a guess from the words alone; {others.length} other entries take them too</span>}
      {read.order !== 'single' && <span class="aside">words taken {read.order}</span>}
      {perhapsDecimal && <span class="aside">digits without 0x are read as hexadecimal, not as decimal</span>}
    </div>
  )
}

export const PastePage = ({ route: { params }, set, linked }: Navigation) => {
  const { text = '', as = '', with: second = '' } = params
  const answer = useAnswer(() => recognise(text, as), [text, as])
  const lines = useMemo(() => Math.min(8, Math.max(2, text.split('\n').length)), [text])
  const given = Object.fromEntries(Object.entries(params).filter(([, value]) => value !== ''))
  const reading = answer.state === 'here' ? answer.value : undefined
  return (
    <>
      <h2 class="unseen">Paste anything</h2>
      <label class="paste">
        <span>Paste a fault line from dmesg, words of a table entry, or the name of a field</span>
        <textarea
          rows={lines} value={text} spellcheck={false} autocomplete="off"
          onInput={(event) => set({ text: event.currentTarget.value, as: '' })}
        />
      </label>
      <p class="examples"><span>Try</span>{EXAMPLES.map(({ label, text: example, as: name = '' }) => (
        <button key={label} type="button" class="chip" onClick={() => set({ text: example, as: name, with: '' })}>{label}</button>
      ))}</p>
      {answer.state === 'failed' && <Notice kind="wrong">{answer.why}</Notice>}
      {reading?.kind === 'nothing' && <Welcome />}
      {reading?.kind === 'explanation' && (
        <ExplainedView explanation={reading.explanation} onEntry={(name) => set({ text: '0x0', as: name })} />
      )}
      {reading?.kind === 'capture' && <CaptureView capture={reading.capture} params={given} set={set} />}
      {reading?.kind === 'entry' && (
        <>
          <ReadAs reading={reading} onChoose={(name) => set({ as: name })} />
          <EntryView
            owner={reading.owner} words={reading.read.words} remark={remarkOf(reading)}
            onFlip={(bit) => set({ text: spellWords(flip(reading.read.words, bit, reading.owner.wordBits)), as: reading.owner.name })}
          />
          <ChangeView
            owner={reading.owner} from={reading.read.words} text={second}
            onText={(value) => set({ with: value, as: reading.owner.name })}
          />
        </>
      )}
      {text !== '' && (
        <p class="tools"><LinkButton linked={linked} /></p>
      )}
    </>
  )
}
