// The pure half of the driver, as one record: variants replace a member of it and nothing else.
import * as invalidate from './invalidate.js'
import { planContext, planStream } from './plan.js'

export const programming = {
  planStream,
  planContext,
  syncStream: invalidate.syncStream,
  syncContext: invalidate.syncContext,
  flushTag: invalidate.flushTag,
  flushPages: invalidate.flushPages,
  flushDevice: invalidate.flushDevice,
  flushWholeDevice: invalidate.flushWholeDevice,
  flushDevicePages: invalidate.flushDevicePages,
} as const

export type Programming = typeof programming
