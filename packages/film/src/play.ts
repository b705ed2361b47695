// Plays: any domain set on any point of a scene, at any time, filmed.
import { errorCode, IommuError } from '@iommu/core'
import type { Backend } from '@iommu/conformance'
import { isOverPasids } from '@iommu/conformance/bench'
import { hex } from '@iommu/inspect'
import { film } from './camera.js'
import type { Reel } from './camera.js'
import { develop, meeting } from './develop.js'
import type { Film, FilmedPoint, FilmedProbe } from './film.js'
import { createScene, setOn } from './scene.js'
import type { FilmPoint, Scene, SceneOptions, SceneState } from './scene.js'

/** A scene on which one sets domains and gets films. */
export interface Stage {
  readonly scene: Scene
  /** What is set on a point; undefined: nothing yet. */
  on(point: FilmPoint): string | undefined
  /** Sets a state, whatever was there. What the driver refuses leaves the old one. Throws RangeError for a name that is none. */
  set(point: FilmPoint, state: string): Promise<Film>
}

const UNSET = 'unset'
const bdfOf = ({ device: { name } }: FilmPoint): string => name.replace(/^0000:/, '')
const filmed = (point: FilmPoint): FilmedPoint => ({ bdf: bdfOf(point), ...(point.pasid === undefined ? {} : { pasid: point.pasid }) })

const probesOf = ({ probes }: Scene, { before, after }: Reel): FilmedProbe[] => probes.flatMap(({ point, request }, index) => {
  const [from, to] = [before[index], after[index]]
  if (from === undefined || to === undefined) return []
  return [{ ...filmed(point), access: request.access, iova: hex(request.address), before: meeting(from), after: meeting(to) }]
})

const judged = ({ verdict }: Reel): Pick<Film, 'held' | 'findings' | 'interrupted'> => {
  if (verdict === undefined) return { findings: [] }
  const findings = [...verdict.during, ...verdict.after, ...verdict.free].map(({ sentence, step, says }) =>
    ({ sentence: sentence as 'during' | 'after' | 'free', step, says }))
  return { findings, held: findings.length === 0, interrupted: verdict.interrupted.length > 0 }
}

const refusal = (error: unknown): Pick<Film, 'refused'> => {
  if (error === undefined) return {}
  const code = errorCode(error)
  if (code === undefined || !(error instanceof IommuError)) throw error
  return { refused: { code, message: error.message } }
}

export const createStage = (backend: Backend, options?: SceneOptions): Stage => {
  const scene = createScene(backend, options)
  const states = new Map<FilmPoint, SceneState>()
  return {
    scene,
    on: (point) => states.get(point)?.name,
    async set(point, name) {
      const old = states.get(point)
      const state = scene.make(point, name)
      const reel = film(scene, () => setOn(point, state.domain, old?.domain))
      const refused = refusal(reel.error)
      const frames = await develop(reel, scene.machine.memory)
      if (reel.error === undefined) {
        states.set(point, state)
        old?.end()
      } else {
        state.end()
      }
      return {
        schema: 'iommu.play/1', driver: backend.name, backend: backend.backend,
        point: filmed(point), from: old?.name ?? UNSET, to: state.name,
        ...refused, probes: probesOf(scene, reel), frames, ...judged(reel),
      }
    },
  }
}

export interface PlayOptions extends Omit<SceneOptions, 'devices' | 'pasids'> {
  readonly from: string
  readonly to: string
  /** The PASID on which the domains are set; the requester id where absent. */
  readonly pasid?: number
}

/** One change on a fresh machine. Throws RangeError for a state or PASID that the driver does not have. */
export const play = async (backend: Backend, { from, to, pasid, ...options }: PlayOptions): Promise<Film> => {
  const stage = createStage(backend, { ...options, pasids: pasid === undefined ? [] : [pasid] })
  const { points: [rid, ...pasids], manifest } = stage.scene
  const point = pasid === undefined ? rid : pasids[0]
  if (rid === undefined || point === undefined) throw new RangeError(`${backend.name} has no PASIDs on ${backend.backend}`)
  if (pasid !== undefined) {
    const under = stage.scene.statesOf(rid).find((each) => isOverPasids(manifest, each) && each !== 'identity' && each !== 'blocked')
      ?? stage.scene.statesOf(rid).find((each) => isOverPasids(manifest, each))
    if (under !== undefined) await stage.set(rid, under)
  }
  const { refused } = await stage.set(point, from)
  if (refused !== undefined) throw new RangeError(`${from} cannot be set: ${refused.message}`)
  return stage.set(point, to)
}
