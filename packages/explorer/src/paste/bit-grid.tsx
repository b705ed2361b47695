// The bits of an entry, 64 a row, highest first. A click or the space bar flips one; arrows go from bit to bit.
import type { Description, Row } from '@iommu/bits'
import { useRef, useState } from 'preact/hooks'
import { ownersOf } from './owners.js'
import type { Owner } from './owners.js'

interface Props {
  readonly description: Description
  /** The bit that is looked at; its whole field is lit. */
  readonly at: number | undefined
  /** Bits that are marked as changed. */
  readonly changed?: ReadonlySet<number>
  onLook(bit: number | undefined): void
  /** Absent: bits are not to be flipped. */
  onFlip?: (bit: number) => void
}

/** How far the arrows go. */
const STEPS: Readonly<Record<string, number>> = { ArrowLeft: 1, ArrowRight: -1, ArrowUp: -64, ArrowDown: 64 }

const labelOf = (bit: number, value: string, { name, what }: Owner): string =>
  `bit ${bit}, ${name}, ${value}${what === 'reserved' && value === '1' ? ', must be zero' : ''}`

/** Names above their bits, as manuals print them; shown where a row has room for all 64. */
const Names = ({ owners, top, bottom }: { readonly owners: readonly Owner[]; readonly top: number; readonly bottom: number }) => {
  const spans: { owner: Owner; high: number; low: number }[] = []
  for (let bit = top; bit >= bottom; bit--) {
    const owner = owners[bit] as Owner
    const last = spans.at(-1)
    if (last?.owner === owner && last.low === bit + 1) last.low = bit
    else spans.push({ owner, high: bit, low: bit })
  }
  return (
    <div class="names" aria-hidden="true">
      {spans.map(({ owner, high, low }) => {
        const width = high - low + 1
        return (
          <span key={high} class={width * 1.4 < owner.name.length ? 'upright' : ''} style={{ gridColumn: `span ${width}` }}>
            {owner.what === 'field' ? owner.name : ''}
          </span>
        )
      })}
    </div>
  )
}

interface BitProps {
  readonly bit: number
  readonly digit: string
  readonly owner: Owner
  readonly lit: boolean
  readonly changed: boolean
  /** Whether the tab key leads here. */
  readonly reachable: boolean
  readonly fixed: boolean
  onLook(): void
  onKey(event: KeyboardEvent): void
  onPress(): void
}

const Bit = ({ bit, digit, owner, lit, changed, reachable, fixed, onLook, onKey, onPress }: BitProps) => (
  <button
    type="button" data-bit={bit} aria-label={labelOf(bit, digit, owner)} tabIndex={reachable ? 0 : -1} aria-disabled={fixed}
    class={[
      'bit', owner.what, owner.what === 'field' ? `hue-${owner.hue}` : '', digit === '1' ? 'one' : 'zero', lit ? 'lit' : '',
      changed ? 'changed' : '', bit % 8 === 7 ? 'byte' : '',
    ].join(' ')}
    onMouseEnter={onLook} onFocus={onLook} onKeyDown={onKey} onClick={onPress}
  >{digit}</button>
)

/** Words from here on are zero: they are shown when asked for. */
const quietFrom = (words: readonly bigint[]): number => Math.max(1, words.findLastIndex((word) => word !== 0n) + 1)

export const BitGrid = ({ description, at, changed, onLook, onFlip }: Props) => {
  const { entry, words } = description
  const owners = ownersOf(description)
  const [all, showAll] = useState(false)
  const grid = useRef<HTMLDivElement>(null)
  const shown = all ? words : words.slice(0, Math.max(quietFrom(words), Math.floor(Math.max(0, ...changed ?? []) / entry.wordBits) + 1))
  const move = (event: KeyboardEvent, bit: number): void => {
    const step = STEPS[event.key]
    const next = step === undefined ? undefined : bit + step
    if (next === undefined || next < 0 || next >= entry.bits) return
    event.preventDefault()
    grid.current?.querySelector<HTMLElement>(`[data-bit="${next}"]`)?.focus()
  }
  return (
    <div class="bits" ref={grid} role="group" aria-label={`bits of ${entry.title}`} onMouseLeave={() => onLook(undefined)}>
      {shown.map((word, index) => {
        const bottom = index * entry.wordBits
        const top = bottom + entry.wordBits - 1
        return (
          <div class="word" key={index}>
            <div class="head"><span>word {index}</span><code>0x{word.toString(16).padStart(entry.wordBits / 4, '0')}</code><span>{top}:{bottom}</span></div>
            <Names owners={owners} top={top} bottom={bottom} />
            <div class="cells">
              {[...word.toString(2).padStart(entry.wordBits, '0')].map((digit, position) => {
                const bit = top - position
                return (
                  <Bit
                    key={bit} bit={bit} digit={digit} owner={owners[bit] as Owner} lit={at !== undefined && owners[bit] === owners[at]}
                    changed={changed?.has(bit) === true} reachable={bit === (at ?? 0)} fixed={onFlip === undefined}
                    onLook={() => onLook(bit)} onKey={(event) => move(event, bit)} onPress={() => onFlip?.(bit)}
                  />
                )
              })}
            </div>
          </div>
        )
      })}
      {shown.length < words.length && (
        <button type="button" class="quiet" onClick={() => showAll(true)}>
          {words.length - shown.length === 1 ? `show word ${shown.length}, which is zero` : `show words ${shown.length} to ${words.length - 1}, which are zero`}
        </button>
      )}
    </div>
  )
}

/** The row of the table to which a bit belongs. */
export const rowAt = ({ rows }: Description, bit: number | undefined): Row | undefined =>
  (bit === undefined ? undefined : rows.find(({ runs }) => runs.some(([high, low]) => bit <= high && bit >= low)))
