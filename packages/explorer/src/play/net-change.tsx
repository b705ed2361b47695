// What a change left behind in the tables: each entry that differs, field by field, from the first store to the last.
import type { Film } from '@iommu/film'
import { changedField, findEntry } from '@iommu/inspect'
import { diff } from '@iommu/bits'
import { useAnswer } from '../parts/answer.js'

interface Touched {
  readonly name: string
  readonly address: string
  readonly before: readonly string[]
  after: readonly string[]
}

const touchedBy = ({ frames }: Film): Touched[] => {
  const found = new Map<string, Touched>()
  for (const { store } of frames) {
    if (store?.entry === undefined) continue
    const known = found.get(store.entry.address)
    if (known === undefined) found.set(store.entry.address, { ...store.entry })
    else known.after = store.entry.after
  }
  return [...found.values()]
}

const fieldsOf = async ({ name, before, after }: Touched): Promise<string[]> => {
  const owner = await findEntry(name)
  return diff(owner, before.map(BigInt), after.map(BigInt)).map((change) => {
    const { name: field, before: was, after: is, meaning } = changedField(owner, change)
    return `${field}  ${meaning?.[0] ?? was} → ${meaning?.[1] ?? is}`
  })
}

export const NetChange = ({ film }: { readonly film: Film }) => {
  const answer = useAnswer(() => Promise.all(touchedBy(film).map(async (entry) => ({ ...entry, fields: await fieldsOf(entry) }))), [film])
  if (answer.state !== 'here' || answer.value.length === 0) return null
  return (
    <div class="net">
      <h3>What changed in the tables</h3>
      {answer.value.map(({ name, address, fields }) => (
        <p key={address}><b>{name}</b> at <code>{address}</code>: {fields.length === 0 ? 'as it was' : fields.map((field, index) => <span key={field}>{index > 0 && ' · '}<span class="mono">{field}</span></span>)}</p>
      ))}
    </div>
  )
}
