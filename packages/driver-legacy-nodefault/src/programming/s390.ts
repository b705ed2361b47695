// s390 PCI functions: translation is registered and deregistered by an instruction. Not registered is the block.
import { decode } from '@iommu/bits'
import { declare } from '../manifest.js'
import {
  anchor, answer, CONDITION, FUNCTION_CONTROLS, FUNCTIONS, handleOf, INSTRUCTIONS, REGION_THIRD, request, s390Shape, STATUS,
} from '../tables/s390.js'
import { word } from '../tables/words.js'
import type { Aim, Planner } from './planner.js'
import type { CallStep, Step } from './steps.js'

/** What the firmware offers of a function. */
export interface FunctionTraits {
  /** Relaxed translation: an anchor of 0 lets everything pass. */
  readonly relaxed: boolean
  /** The host keeps a shadow of the tables: maps have to be refreshed too. */
  readonly refresh: boolean
}

const APERTURE = { start: 0n, end: (1n << 42n) - 1n } as const

const explain = (value: bigint): string => {
  const { CC, STATUS: status } = decode(answer, [value])
  const { CC: codes, STATUS: statuses } = answer.fields
  return `condition code ${CC} (${codes.meanings?.[CC] ?? 'unknown'})${CC === CONDITION.error ? `, status ${status} (${statuses.meanings?.[status] ?? 'unknown'})` : ''}`
}

const conditionOf = (value: bigint): { readonly cc: number; readonly status: number } => {
  const { CC, STATUS: status } = decode(answer, [value])
  return { cc: CC, status }
}

const judge: CallStep['judge'] = (value) => {
  const { cc } = conditionOf(value)
  return cc === CONDITION.done ? 'done' : cc === CONDITION.busy ? 'again' : 'refused'
}

const modify = (functionId: number, OPERATION: number, rest: readonly bigint[], how: CallStep['judge']): CallStep => ({
  do: 'call', operation: INSTRUCTIONS.modify, judge: how, explain,
  args: [word(request, { HANDLE: handleOf(functionId), SPACE: 0, OPERATION }), ...rest],
})

/** Registers translation by the tables; without tables everything passes. */
export const register = (functionId: number, root: bigint | undefined): CallStep => modify(functionId, FUNCTION_CONTROLS.register, [
  APERTURE.start, APERTURE.end,
  root === undefined ? 0n : word(anchor, { ENABLED: 1, TYPE: REGION_THIRD, ORIGIN: root }),
], judge)

/** Takes translation away. Tried again whatever the answer, since a block must not fail; it is no error to be there already. */
export const deregister = (functionId: number): CallStep => modify(functionId, FUNCTION_CONTROLS.deregister, [0n, 0n, 0n], (value) => {
  const { cc, status } = conditionOf(value)
  const gone = cc === CONDITION.unknown || (cc === CONDITION.error && (status === STATUS.notRegistered || status === STATUS.already))
  return cc === CONDITION.done || gone ? 'done' : 'again'
})

/** Refreshes translations. */
const refresh = (functionId: number, { start, end }: { readonly start: bigint; readonly end: bigint }): CallStep => ({
  do: 'call', operation: INSTRUCTIONS.refresh, judge, explain,
  args: [word(request, { HANDLE: handleOf(functionId) }), start & ~0xfffn, ((end | 0xfffn) + 1n) - (start & ~0xfffn)],
})

const leave = (functionId: number, from: Aim): Step[] => (from.at === 'blocked' ? [] : [deregister(functionId)])

export const s390Planner = ({ relaxed, refresh: refreshed }: FunctionTraits): Planner => ({
  manifest: declare({
    hardware: `s390 PCI function${refreshed ? ' of a guest' : ''}`,
    blocked: true, identity: relaxed, standInBlocks: true, format: s390Shape.name,
    limits: {
      permissions: 'entries cannot forbid reads',
      ...(relaxed ? {} : { identity: 'only functions with relaxed translation can pass addresses through' }),
    },
  }),
  shape: s390Shape,
  aperture: APERTURE,
  ids: { what: 'domain', first: 0, limit: 1 << 16 },
  coherent: true,
  fixedBytes: 0,
  keepsAbsent: refreshed,
  obstacle: (functionId) => (functionId < FUNCTIONS ? undefined : { why: 'there is no such function', values: { functionId } }),
  // Functions start without translation: nothing passes.
  takeOver: () => [],
  open: () => [],
  close: () => [],
  aim(functionId, from, to) {
    switch (to.at) {
      case 'blocked': return [deregister(functionId)]
      case 'identity': return [...leave(functionId, from), register(functionId, undefined)]
      case 'tables': return [...leave(functionId, from), register(functionId, to.root)]
      default: return to satisfies never
    }
  },
  flush: ({ streams, range }) => streams.map((functionId) => refresh(functionId, range ?? APERTURE)),
  // Errors come as events of the channel subsystem, not from a register that could be read.
  readFaults: () => ({ faults: [], clear: [] }),
})
