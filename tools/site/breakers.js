// Who breaks a statement: every mutant that lists it; what the suite says of one; and, where a driver's own mutant shows in one
// change, the film of that.
import { coreVariants } from '@iommu/core/variants'
import { opsMutants, runStatement } from '@iommu/conformance'
import { play, renderFilm } from '@iommu/film'

const PARTS = { driver: 'any driver, changed from outside', core: 'the core layer' }

/** Every mutant: `{ id, title, breaks, part }`, a vendor's with its vendor. */
export const allBreakers = (vendors) => [
  ...opsMutants.map((each) => ({ ...each, part: PARTS.driver })),
  ...coreVariants.map((each) => ({ ...each, part: PARTS.core })),
  ...vendors.flatMap((vendor) => vendor.variants.map((each) => ({ ...each, part: vendor.name, vendor }))),
]

/** A backend with the mutant in it, and the core layer that runs it, undefined for the whole one. */
const brokenBy = (mutant, backend) => {
  if (mutant.create !== undefined) return [backend, mutant.create]
  const { adversary, alter } = mutant
  const createDriver = mutant.createDriver ?? ((machines, setup) => alter(backend.createDriver(machines, setup), { machines, ...setup }))
  const { createAdversary } = backend
  if (createAdversary === undefined || adversary === undefined) return [{ ...backend, createDriver }]
  return [{ ...backend, createDriver, createAdversary: (machine, options) => createAdversary(machine, { ...options, ...adversary }) }]
}

/** What the suite says when it meets the first mutant that was made for a statement: `{ mutant, on, reason, wrong, right }`. */
export const complaint = (statement, breakers, vendors) => {
  const all = vendors.flatMap(({ backends }) => backends)
  const plainest = vendors.map(({ backends: [first] }) => first)
  for (const mutant of breakers.filter(({ breaks: [first] }) => first === statement.id)) {
    for (const backend of mutant.vendor === undefined ? new Set([...plainest, ...all]) : [backendOf(mutant)]) {
      const [broken, createCore] = brokenBy(mutant, backend)
      const { status, reason } = runStatement(statement, broken, createCore)
      if (status === 'failed') {
        return {
          mutant, on: `${backend.name}, ${backend.backend}`, reason,
          wrong: { backend: broken, ...(createCore === undefined ? {} : { createCore }) }, right: { backend },
        }
      }
    }
  }
  return undefined
}

/** Changes that a film tries, the plainest first. */
const CHANGES = [
  { from: 'paging', to: 'blocked' }, { from: 'paging', to: 'identity' }, { from: 'identity', to: 'paging' }, { from: 'blocked', to: 'paging' },
]

const backendOf = ({ on, vendor }) => vendor.backends.find(({ backend }) => on?.includes(backend) ?? true) ?? vendor.backends[0]

/** Where a change is tried: PASIDs first for what is about them. */
const placesFor = (statement) => (/^C-(?:PASID|SVA)/.test(statement) ? [{ pasid: 5 }, {}] : [{}, { pasid: 5 }])

/** A film of one change, undefined where this hardware has no such state, or the driver is too broken to come so far. */
const take = async (backend, change, { createDriver, adversary } = {}) => {
  try {
    return await play(backend, {
      ...change, ...(createDriver === undefined ? {} : { createDriver }), ...(adversary === undefined ? {} : { adversary }),
    })
  } catch (error) {
    if (error instanceof RangeError || error?.name === 'IommuError') return undefined
    throw error
  }
}

/** Whether the driver did no wrong before the change that is filmed. */
const beginsWell = ({ findings }) => findings.every(({ step }) => step !== 'before')

/** The first change in which a driver is seen to do wrong, one that begins well if there is; undefined where none shows it. */
const filmOf = async (mutant, places) => {
  const backend = backendOf(mutant)
  let best
  for (const place of places) {
    for (const change of CHANGES) {
      const film = await take(backend, { ...change, ...place }, mutant)
      if (film?.held !== false) continue
      if (best === undefined || (!beginsWell(best.film) && beginsWell(film))) best = { film, change: { ...change, ...place } }
      if (beginsWell(film)) break
    }
    if (best !== undefined && beginsWell(best.film)) break
  }
  if (best === undefined) return undefined
  const right = await take(backend, best.change)
  return { text: renderFilm(best.film), right: right === undefined ? [] : renderFilm(right) }
}

/** Films of vendors' mutants, each taken once: mutant and statement -> film, undefined where no single change shows it. */
export const createCinema = () => {
  const films = new Map()
  return async (mutant, statement) => {
    const places = placesFor(statement)
    const key = `${mutant.vendor.name} ${mutant.id} ${JSON.stringify(places[0])}`
    if (!films.has(key)) films.set(key, await filmOf(mutant, places))
    return films.get(key)
  }
}
