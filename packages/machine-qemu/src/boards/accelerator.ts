// How the processor of a board is kept from running: it has no part in what is tried.
import type { BoardFacts } from './board.js'

/**
 * Arguments of the accelerator. Where QEMU has the one of its tests, no processor runs; elsewhere `still` says how this one is made to
 * stand still, and virtual time stands with it, and jumps where a timer waits.
 */
export const accelerator = ({ qtestAccelerator }: BoardFacts, still: () => readonly string[]): readonly string[] =>
  (qtestAccelerator ? ['-accel', 'qtest'] : ['-accel', 'tcg', '-icount', 'shift=0,sleep=off', ...still()])
