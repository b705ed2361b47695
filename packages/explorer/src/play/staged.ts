// A board after some operations: its points, what is set on each, and the films. What was played once is not played again.
import type { Backend, DriverVariant } from '@iommu/conformance'
import { createStage } from '@iommu/film'
import type { Film, Stage } from '@iommu/film'
import type { Operation } from './operations.js'

export interface BoardPoint {
  /** "00:04.0 PASID 1" */
  readonly name: string
  readonly pasid: number | undefined
  readonly device: string
  readonly on: string | undefined
  readonly states: readonly string[]
}

export interface Staged {
  readonly points: readonly BoardPoint[]
  readonly films: readonly Film[]
}

export interface Setting {
  readonly backend: Backend
  readonly variant: DriverVariant | undefined
  readonly ats: boolean
}

/** 00:04.0 and 00:05.0. */
const DEVICES = [0x20, 0x28]
const PASIDS = [1, 2]

interface Kept {
  readonly key: string
  readonly stage: Stage
  readonly done: Operation[]
  readonly films: Film[]
}

let kept: Kept | undefined

const same = (one: Operation | undefined, other: Operation): boolean => one?.point === other.point && one.state === other.state

const begin = (key: string, { backend, variant, ats }: Setting): Kept => ({
  key, done: [], films: [],
  stage: createStage(backend, {
    devices: DEVICES, pasids: PASIDS, ats,
    ...(variant === undefined ? {} : { createDriver: variant.createDriver, ...(variant.adversary && { adversary: variant.adversary }) }),
  }),
})

const pointsOf = ({ scene, on }: Stage): BoardPoint[] => scene.points.map((point) => {
  const device = point.device.name.replace(/^0000:/, '')
  return {
    name: point.pasid === undefined ? device : `${device} PASID ${point.pasid}`, pasid: point.pasid, device, on: on(point), states: scene.statesOf(point),
  }
})

const play = async (setting: Setting, operations: readonly Operation[]): Promise<Staged> => {
  const key = JSON.stringify([setting.backend.name, setting.backend.backend, setting.variant?.id, setting.ats])
  const goesOn = kept?.key === key && kept.done.every((each, index) => same(operations[index], each))
  const current = goesOn && kept !== undefined ? kept : begin(key, setting)
  kept = undefined
  for (const operation of operations.slice(current.done.length)) {
    const point = current.stage.scene.points[operation.point]
    if (point === undefined) throw new RangeError(`there is no point ${operation.point} on this board; it has ${current.stage.scene.points.length}`)
    current.films.push(await current.stage.set(point, operation.state))
    current.done.push(operation)
  }
  kept = current
  return { points: pointsOf(current.stage), films: [...current.films] }
}

let turn: Promise<unknown> = Promise.resolve()

/** One after the other: a stage is one machine. Throws RangeError for an operation that this hardware does not have. */
export const staged = (setting: Setting, operations: readonly Operation[]): Promise<Staged> => {
  const mine = turn.then(() => play(setting, operations))
  turn = mine.catch(() => undefined)
  return mine
}
