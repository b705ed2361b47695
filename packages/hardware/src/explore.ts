// Choose and explore: one routine with choices in it becomes the set of all its answers.

/** Picks one of `count` ways, 0 to count - 1. */
export type Choose = (count: number) => number

/** Deterministic mode: always the first way. */
export const first: Choose = () => 0

/** Stops an exploration that does not end. */
export const EXPLORE_LIMIT = 1_000_000

/**
 * Runs `run` once for every sequence of choices it can make, depth first, and returns the distinct answers by
 * `key`. `run` must not change what it reads. Throws RangeError after EXPLORE_LIMIT runs.
 */
export const explore = <T>(run: (choose: Choose) => T, key: (answer: T) => string): T[] => {
  const path: { way: number; ways: number }[] = []
  const answers = new Map<string, T>()
  for (let runs = 0; ; runs++) {
    if (runs === EXPLORE_LIMIT) throw new RangeError(`exploration has not ended after ${EXPLORE_LIMIT} runs`)
    let depth = 0
    const answer = run((ways) => {
      if (ways < 2) return 0
      if (depth === path.length) path.push({ way: 0, ways })
      return (path[depth++] as { way: number }).way
    })
    const name = key(answer)
    if (!answers.has(name)) answers.set(name, answer)
    while (path.length > 0) {
      const last = path[path.length - 1] as { way: number; ways: number }
      if (last.way + 1 < last.ways) {
        last.way++
        break
      }
      path.pop()
    }
    if (path.length === 0) return [...answers.values()]
  }
}
