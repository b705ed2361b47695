// The pure half of the driver, as one record: variants replace a member of it and nothing else.
import * as invalidate from './invalidate.js'
import { planEntry } from './plan.js'

export const programming = {
  planEntry,
  flushContext: invalidate.flushContext,
  flushPasid: invalidate.flushPasid,
  flushScalableContext: invalidate.flushScalableContext,
  flushPages: invalidate.flushPages,
  flushDevicePages: invalidate.flushDevicePages,
} as const

export type Programming = typeof programming
