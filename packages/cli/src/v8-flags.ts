// What is asked of V8 wherever the suite runs: by the command, and by the tests.

/**
 * The suite is wide and nowhere hot for long: left alone, V8 spends a third of the processors' time on optimizing
 * functions that are not called often enough to pay for it. Bytes of bytecode that a function runs before it is asked.
 */
const OPTIMIZE_AFTER = 1_000_000

/** V8 has this flag up to version 11 (Node 20); later ones would say on stderr that they do not know it. */
export const suiteFlags: readonly string[] = Number.parseInt(process.versions.v8, 10) <= 11 ? [`--interrupt-budget=${OPTIMIZE_AFTER}`] : []
