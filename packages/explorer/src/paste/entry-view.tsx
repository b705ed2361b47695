// An entry: its bits, the field that is looked at, and all fields, tied together.
import { cellsOf, describe, renderBlock } from '@iommu/bits'
import type { Entry } from '@iommu/bits'
import { decodeEntry } from '@iommu/inspect'
import { useMemo, useState } from 'preact/hooks'
import { CopyButton } from '../parts/copy-button.js'
import { BitGrid, rowAt } from './bit-grid.js'
import { FieldTable } from './field-table.js'
import { ownersOf } from './owners.js'

interface Props {
  readonly owner: Entry
  readonly words: readonly bigint[]
  /** How the words were taken, where that is not plain. */
  readonly remark?: string
  readonly changed?: ReadonlySet<number>
  onFlip?: (bit: number) => void
}

export const EntryView = ({ owner, words, remark, changed, onFlip }: Props) => {
  const [at, look] = useState<number | undefined>(undefined)
  const description = useMemo(() => describe(owner, words), [owner, words])
  const row = rowAt(description, at)
  const told = at === undefined ? undefined : ownersOf(description)[at]
  const cells = row && cellsOf(row)
  return (
    <section class="entry" aria-label={owner.title}>
      <h3>{owner.title} <span class="aside">· {owner.bits} bits · {owner.section}{remark === undefined ? '' : ` · ${remark}`}</span></h3>
      <BitGrid
        description={description} at={at} onLook={look}
        {...(changed === undefined ? {} : { changed })} {...(onFlip === undefined ? {} : { onFlip })}
      />
      <p class="looked" aria-live="polite">
        {at === undefined ? `Point at a bit to see its field${onFlip === undefined ? '.' : '; click it, or press space, to flip it.'}`
          : cells === undefined ? <>bit {at} · <b>{told?.name}</b>{told?.what === 'reserved' ? ': must be zero' : ''}</>
            : <>bit {at} · <b>{row?.name}</b> {cells.place} = <code>{cells.value}</code> · {cells.said} · {row?.section}</>}
      </p>
      <FieldTable description={description} at={at} onLook={look} />
      <div class="tools">
        <CopyButton label="copy as text" text={() => renderBlock(description)} />
        <CopyButton label="copy as JSON" text={() => JSON.stringify(decodeEntry(owner, words), null, 2)} />
      </div>
    </section>
  )
}
