// What must be flushed, and in which order. Pure: facts of a change become commands.
import { encode } from '@iommu/bits'
import { fenceCommand, forgetDeviceCommand, OPCODES } from '../tables/index.js'
import type { Command, Flushes } from './plan.js'

const two = (words: readonly bigint[]): Command => [words[0] as bigint, words[1] as bigint]

/** All commands before it are complete. */
export const fence = (): Command => two(encode(fenceCommand, { OPCODE: OPCODES.fence }))

const forgetDevice = (source: number): Command =>
  two(encode(forgetDeviceCommand, { OPCODE: OPCODES.forgetDevice, SOURCE: source }))

/** A device entry goes or changes. */
export const flushDevice = (source: number): Flushes => ({ removed: [[forgetDevice(source)]] })
