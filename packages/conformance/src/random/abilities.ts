// What walks can do besides calling the core layer on devices of one unit. Each can be left out, to see what it is good for.

/**
 * `ats`: devices keep translations of their own. `deferred`: attaches wait for the first DMA map. `flush-queue`: unmapped
 * addresses wait for a flush of everything. `failures`: hardware refuses commands, or does not answer. `units`: a second unit
 * on the same memory.
 */
export const ABILITIES = ['ats', 'deferred', 'flush-queue', 'failures', 'units'] as const

export type Ability = (typeof ABILITIES)[number]
