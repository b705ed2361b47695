// A driver that is broken on purpose: the statement of the suite that catches it, run here.
import { allStatements, runStatement } from '@iommu/conformance'
import type { Backend, DriverVariant } from '@iommu/conformance'
import { useAnswer } from '../parts/answer.js'

const varied = (backend: Backend, { createDriver, adversary }: DriverVariant): Backend => {
  const { createAdversary } = backend
  return {
    ...backend, createDriver,
    ...(createAdversary === undefined || adversary === undefined ? {} : {
      createAdversary: (machine, options) => createAdversary(machine, { ...options, ...adversary }),
    }),
  }
}

/** The page is drawn first: a statement may take a second. */
const drawn = (): Promise<void> => new Promise((done) => setTimeout(done, 30))

interface Props {
  readonly backend: Backend
  readonly variant: DriverVariant
  /** Whether a film of the board shows it. */
  readonly shown: boolean
}

export const Broken = ({ backend, variant, shown }: Props) => {
  const statement = allStatements.find(({ id }) => id === variant.breaks[0])
  const answer = useAnswer(async () => {
    await drawn()
    return statement === undefined ? undefined : { id: variant.id, ...runStatement(statement, varied(backend, variant)) }
  }, [backend, variant])
  const result = answer.state === 'here' && answer.value?.id === variant.id ? answer.value : undefined
  return (
    <section class="broken" aria-label="what catches it">
      <p><b>Broken on purpose:</b> {variant.title}.{variant.profile === undefined ? '' : ` ${variant.profile.name} does so: ${variant.profile.source}.`}</p>
      {statement !== undefined && <p><b>{statement.id}</b> {statement.says} <span class="aside">{statement.source}</span></p>}
      <p>{shown ? 'What was done on the board shows it, too: see the film.' : 'What was done on the board does not show it: set further domains, and watch.'}</p>
      {result === undefined ? <p class="aside">running the statement …</p>
        : <p class={result.status === 'failed' ? 'caught' : ''}><b>{result.status === 'failed' ? '✗ caught' : result.status}</b> {result.reason}</p>}
    </section>
  )
}
