// The parts that the model's files share: memory, events and the state of the failure doors.
export type { EventStream, PhysicalMemory } from '@iommu/hardware'

/** How the hardware is made to fail. */
export interface FailureDoorsState {
  completionsNever: boolean
  /** Sources whose device TLB does not answer. */
  readonly deaf: Set<number>
  /** Whether the command at hand is the one that is to be refused; counts down. */
  refuseCommand(): boolean
}

export interface FailureCounter extends FailureDoorsState {
  /** The n-th command from now is refused. */
  refuseAt(n: number | undefined): void
}

export const createFailures = (): FailureCounter => {
  let left: number | undefined
  return {
    completionsNever: false,
    deaf: new Set(),
    refuseAt(n) { left = n },
    refuseCommand() {
      if (left === undefined || --left > 0) return false
      left = undefined
      return true
    },
  }
}
