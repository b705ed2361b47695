// What variants are made with: the driver with members of its pure half exchanged, or over a machine that loses something.
import type { IommuOps } from '@iommu/core'
import type { ModelVariant, TestMachine } from '@iommu/hardware'
import { driverOver } from '../backends.js'
import { programming } from '../programming/index.js'
import type { Programming } from '../programming/index.js'
import type { PlanStep } from '../programming/plan.js'

export type SmmuVariant = ModelVariant<IommuOps>

export const STAGE_1 = ['stage 1']
export const BOTH = ['stage 1 and 2']

type Through = (machine: TestMachine, broken: () => boolean) => TestMachine

export const variant = (
  id: string, title: string, breaks: readonly string[], on: readonly string[], change: Partial<Programming>, through: Through = (machine) => machine,
): SmmuVariant => ({
  id,
  title,
  breaks,
  on,
  createDriver(machines, { warn, broken = () => true }) {
    const wrong: Programming = { ...programming, ...change }
    const chosen = (): Programming => (broken() ? wrong : programming)
    return driverOver(machines.map((each) => through(each, broken)), warn, {
      programming: {
        planStream: (...args) => chosen().planStream(...args),
        planContext: (...args) => chosen().planContext(...args),
        syncStream: (...args) => chosen().syncStream(...args),
        syncContext: (...args) => chosen().syncContext(...args),
        flushTag: (...args) => chosen().flushTag(...args),
        flushPages: (...args) => chosen().flushPages(...args),
        flushDevice: (...args) => chosen().flushDevice(...args),
        flushWholeDevice: (...args) => chosen().flushWholeDevice(...args),
        flushDevicePages: (...args) => chosen().flushDevicePages(...args),
      },
    })
  },
})

type Steps = readonly PlanStep[]

/** The plans of both kinds of entries, changed. */
export const plans = (change: (steps: Steps, sync: PlanStep) => PlanStep[]): Partial<Programming> => ({
  planStream: (from, to, commands) => change(programming.planStream(from, to, commands), { do: 'invalidate', commands }),
  planContext: (from, to, commands) => change(programming.planContext(from, to, commands), { do: 'invalidate', commands }),
})

/** The words that differ, stored in an order, with one sync behind them. */
export const oneSync = (order: (indexes: number[]) => number[]): Partial<Programming> => {
  const plan: Programming['planStream'] = (from, to, commands) => {
    const indexes = order(to.flatMap((word, index) => (word === from[index] ? [] : [index])))
    return indexes.length === 0 ? [] : [
      ...indexes.map((index): PlanStep => ({ do: 'store', index, value: to[index] as bigint })),
      { do: 'order' }, { do: 'write-back' }, { do: 'invalidate', commands },
    ]
  }
  return { planStream: plan, planContext: plan }
}

/** The syncs of a plan, by their place among them, some left out. */
export const syncs = (stays: (index: number, count: number) => boolean): Partial<Programming> => plans((steps) => {
  const count = steps.filter((step) => step.do === 'invalidate').length
  let index = 0
  return steps.filter((step) => step.do !== 'invalidate' || stays(index++, count))
})
