// What tools above the suite build on: its bench, and the states that it puts points in.
export { createBench } from './bench.js'
export type { Bench, BenchOptions, DeviceSpec, Point } from './bench.js'
export { addressesOf, blockedState, formatsFor, identityState, isOverPasids, pagingState, pasidNear, ridOverPasids, svaState } from './states.js'
export type { Addresses, State } from './states.js'
export { traceOps } from './trace.js'
