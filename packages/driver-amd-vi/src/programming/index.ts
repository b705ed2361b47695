// The pure half of the driver, as one record: variants replace a member of it and nothing else.
import * as words from '../domains/words.js'
import * as invalidate from './invalidate.js'
import { planEntry, planSlot } from './plan.js'

export const programming = {
  planEntry,
  planSlot,
  entryWords: words.entryWords,
  flushEntry: invalidate.flushEntry,
  flushSlot: invalidate.flushSlot,
  flushPages: invalidate.flushPages,
  flushDevicePages: invalidate.flushDevicePages,
} as const

export type Programming = typeof programming
