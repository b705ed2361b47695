// Play: a driver on its hardware, a board of devices, any domain on any of them at any time, and the film of it.
import { manifestOf } from '@iommu/conformance'
import { useAnswer } from '../parts/answer.js'
import { Choice } from '../parts/choice.js'
import { LinkButton } from '../parts/link-button.js'
import { Notice } from '../parts/notice.js'
import type { Navigation } from '../route.js'
import { Beside } from './beside.js'
import { Board } from './board.js'
import { Broken } from './broken.js'
import { DRIVERS, isDriver, loadDriver, variantsOn } from './drivers.js'
import type { DriverName } from './drivers.js'
import { FilmView } from './film-view.js'
import { readOperations, storyOn, writeOperations } from './operations.js'
import { staged } from './staged.js'

const NONE = ''
/** An empty parameter is no parameter: then the story is told. */
const NOTHING = '-'

export const PlayPage = ({ route: { params }, set, linked }: Navigation) => {
  const { driver: asked = '', on = '', broken = '', ats = '', done = '', film: wanted = '', step = '', beside = '' } = params
  const driver: DriverName = isDriver(asked) ? asked : 'driver-intel-vtd'
  const answer = useAnswer(async () => {
    const loaded = await loadDriver(driver)
    const variant = loaded.variants.find(({ id }) => id === broken)
    const place = on === '' ? variant?.on?.[0] : on
    const backend = loaded.backends.find(({ backend: name }) => name === place) ?? loaded.backends[0]
    if (backend === undefined) throw new RangeError(`${driver} has no hardware to run on`)
    const fits = variantsOn(loaded, backend)
    const operations = done === '' ? storyOn(manifestOf(backend)) : readOperations(done)
    const chosen = fits.find(({ id }) => id === broken)
    return { driver, loaded, backend, fits, variant: chosen, operations, ...await staged({ backend, variant: chosen, ats: ats !== '' }, operations) }
  }, [driver, on, broken, ats, done])
  const here = answer.state === 'here' ? answer.value : undefined
  const number = wanted === '' ? (here?.films.length ?? 0) - 1 : Math.min(Number(wanted) || 0, (here?.films.length ?? 1) - 1)
  const film = here?.films[number]
  const at = film === undefined ? 0 : Math.min(Math.max(0, Number(step) || 0), film.frames.length - 1)
  return (
    <>
      <h2 class="unseen">Play</h2>
      <div class="settings">
        <Choice label="hardware" value={driver} options={Object.entries(DRIVERS).map(([value, label]) => ({ value, label }))}
          onChoose={(value) => set({ driver: value, on: '', broken: '', film: '', step: '', done: '' })} />
        <Choice label="kind" value={here?.backend.backend ?? ''} options={(here?.loaded.backends ?? []).map(({ backend }) => ({ value: backend, label: backend }))}
          onChoose={(value) => set({ on: value, broken: '', film: '', step: '', done: '' })} />
        <Choice label="break it on purpose" value={here?.variant?.id ?? NONE}
          options={[{ value: NONE, label: 'not broken' }, ...(here?.fits ?? []).map(({ id, title }) => ({ value: id, label: title }))]}
          onChoose={(value) => set({ broken: value, on: here?.backend.backend ?? '', step: '' })} />
        <label class="choice"><input type="checkbox" checked={ats !== ''} onChange={(event) => set({ ats: event.currentTarget.checked ? 'on' : '', step: '' })} /> <span>ATS</span></label>
      </div>
      {answer.state === 'failed' && (
        <>
          <Notice kind="wrong">{answer.why}</Notice>
          <p><button type="button" onClick={() => set({ done: '', film: '', step: '' })}>begin anew</button></p>
        </>
      )}
      {here !== undefined && here.driver === driver && (
        <>
          <p class="aside">Set any domain on any of these, in any order. The driver writes its tables, a model of the hardware reads them.</p>
          <Board points={here.points} current={here.operations[number]?.point}
            onSet={(point, state) => set({ done: writeOperations([...here.operations, { point, state }]), film: '', step: '' })} />
          {here.variant !== undefined
            && <Broken backend={here.backend} variant={here.variant} shown={here.films.some(({ held }) => held === false)} />}
          {here.films.length > 1 && (
            <p class="examples"><span>done so far</span>{here.films.map(({ point, to }, index) => (
              <button key={index} type="button" class="chip" aria-pressed={index === number} onClick={() => set({ film: String(index), step: '' })}>
                {point.bdf}{point.pasid === undefined ? '' : `.${point.pasid}`} {to}
              </button>
            ))}
            <button type="button" class="quiet" onClick={() => set({ done: NOTHING, film: '', step: '' })}>begin anew</button></p>
          )}
          {film !== undefined && <FilmView film={film} at={at} onGo={(frame) => set({ step: String(frame) })} />}
          <p class="tools"><LinkButton linked={linked} /></p>
          {film !== undefined && <Beside film={film} chosen={beside.split(' ').filter(isDriver)} onChoose={(names) => set({ beside: names.join(' ') })} />}
        </>
      )}
    </>
  )
}
