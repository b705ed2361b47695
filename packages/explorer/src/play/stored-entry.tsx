// The entry that a step stores to, with the bits that change lit.
import { describe, wordCount } from '@iommu/bits'
import type { FilmedStore } from '@iommu/film'
import { findEntry } from '@iommu/inspect'
import { useMemo, useState } from 'preact/hooks'
import { useAnswer } from '../parts/answer.js'
import { BitGrid, rowAt } from '../paste/bit-grid.js'

const changedBits = (before: readonly bigint[], after: readonly bigint[], wordBits: number): Set<number> => {
  const found = new Set<number>()
  after.forEach((word, index) => {
    const differs = word ^ (before[index] ?? 0n)
    for (let bit = 0; bit < wordBits; bit++) if ((differs >> BigInt(bit)) & 1n) found.add(index * wordBits + bit)
  })
  return found
}

const Bits = ({ name, before, after }: { readonly name: string; readonly before: readonly bigint[]; readonly after: readonly bigint[] }) => {
  const [at, look] = useState<number | undefined>(undefined)
  const answer = useAnswer(() => findEntry(name), [name])
  const owner = answer.state === 'here' && wordCount(answer.value) === after.length ? answer.value : undefined
  const description = useMemo(() => (owner === undefined ? undefined : describe(owner, after)), [owner, after.join()])
  if (owner === undefined || description === undefined) return null
  const row = rowAt(description, at)
  return (
    <div class="entry">
      <BitGrid description={description} at={at} changed={changedBits(before, after, owner.wordBits)} onLook={look} />
      <p class="looked small">{row === undefined ? 'Bits that this store changes are framed.' : <>bit {at} · <b>{row.name}</b> · {row.title}</>}</p>
    </div>
  )
}

export const StoredEntry = ({ store }: { readonly store: FilmedStore }) => {
  if (store.entry === undefined) return <p class="aside">No DMA of this film comes by this word: <code>{store.before.join(' ')}</code> → <code>{store.after.join(' ')}</code></p>
  const { name, address, before, after } = store.entry
  return (
    <>
      <h3>{name} <span class="aside">at <code>{address}</code></span></h3>
      <Bits name={name} before={before.map(BigInt)} after={after.map(BigInt)} />
    </>
  )
}
