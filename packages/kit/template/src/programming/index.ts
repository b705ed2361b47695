// The pure half of the driver, as one record: variants replace a member of it and nothing else.
import { flushDevice } from './invalidate.js'
import { planEntry } from './plan.js'

export const programming = { planEntry, flushDevice } as const

export type Programming = typeof programming
