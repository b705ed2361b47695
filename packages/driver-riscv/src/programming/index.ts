// The pure half of the driver, as one record: variants replace a member of it and nothing else.
import * as invalidate from './invalidate.js'
import { planEntry } from './plan.js'

export const programming = {
  planEntry,
  flushDevice: invalidate.flushDevice,
  flushProcess: invalidate.flushProcess,
  flushTag: invalidate.flushTag,
  flushPages: invalidate.flushPages,
  flushDeviceTlb: invalidate.flushDeviceTlb,
} as const

export type Programming = typeof programming
