// What a variant is: a core that is broken in one way, and the statements that have to notice.
import type { IommuOps } from '../contract/driver.js'
import { assembleCore, createCore } from '../layer/core.js'
import type { Core, CoreOptions } from '../layer/face.js'
import type { CoreSteps } from '../layer/steps.js'
import { coreSteps } from '../layer/steps.js'

export interface CoreVariant {
  readonly id: string
  /** What it does instead. */
  readonly title: string
  /** Statements that it may fail. The first is the one that it must. */
  readonly breaks: readonly string[]
  create(ops: IommuOps, options?: CoreOptions): Core
}

export type CreateCore = CoreVariant['create']

/** A core with some of its steps replaced. The others call the replacements. */
export const withSteps = (steps: Partial<CoreSteps>): CreateCore => (ops, options = {}) =>
  assembleCore(ops, options, { ...coreSteps, ...steps })

/** A core, a sound one where none is named, with some of its methods replaced. */
export const withMethods = (change: (core: Core) => Partial<Core>, create: CreateCore = createCore): CreateCore => (ops, options) => {
  const core = create(ops, options)
  return { ...core, ...change(core) }
}
