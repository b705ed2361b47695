// A machine: what a driver sees of hardware, and the further doors that a test has.
import type { DmaRequest, Outcome, Step } from './dma.js'
import type { Endpoint } from './endpoint.js'
import type { Observer } from './events.js'
import type { TestAllocator } from './allocator.js'
import type { Memory } from './memory.js'
import type { Registers } from './registers.js'

/** One IOMMU and its surroundings. A driver does not know whether a model, an emulator or a recording is behind it. */
export interface Machine {
  readonly memory: Memory
  readonly registers: Registers
  endpoint(source: number): Endpoint
  /** Instructions, where hardware has no registers. Throws RangeError for an instruction it does not have. */
  call(operation: string, args: readonly bigint[]): bigint
}

/** How hardware can be made to fail. Everything is off at the start. */
export interface FailureDoors {
  /** The n-th table allocation from now finds no memory, once. */
  allocation(n: number | undefined): void
  /** Commands are taken, but their completion never comes. */
  completions(state: 'prompt' | 'never'): void
  /** The n-th command from now is refused as malformed, once; the queue stops until software clears the error. */
  queueError(n: number | undefined): void
  /** Device-TLB invalidations to this source are never answered. */
  deviceTlb(source: number, state: 'answers' | 'times out'): void
  /** Failures that have come to pass so far; absent where nobody counts. */
  readonly injected?: number
}

/** A machine from the other side: DMA, observation, failures. */
export interface TestMachine extends Machine {
  readonly memory: Memory & { readonly pages: TestAllocator }
  /** The DMA happens: caches fill, a fault is recorded. Every choice is the first one. */
  dma(request: DmaRequest): Outcome
  /** All answers that the DMA may get now, with everything that caches may have kept or dropped. Changes nothing. */
  outcomes(request: DmaRequest): readonly Outcome[]
  /** The walk of a DMA as steps, from tables in memory alone; no cache is read or filled. */
  walk(request: DmaRequest): { readonly outcome: Outcome; readonly steps: readonly Step[] }
  /** Reports every store, barrier, command, register write and endpoint switch until the returned function is called. */
  observe(observer: Observer): () => void
  readonly fail: FailureDoors
}
