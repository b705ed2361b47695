// A walk through every ordered pair: each edge of a directed graph once, so that one machine sees all switches in a row.

/**
 * The numbers 0 to count - 1 in an order in which every ordered pair of different ones is adjacent just once, and
 * each of `loops` is once adjacent to itself. Begins and ends with 0.
 */
export const circuit = (count: number, loops: ReadonlySet<number>): number[] => {
  const left = Array.from({ length: count }, (_, from) =>
    Array.from({ length: count }, (_each, to) => to).filter((to) => to !== from || loops.has(from)).reverse())
  // Hierholzer: every vertex has as many edges in as out, so a way that cannot go on is back where it began.
  const stack = [0]
  const found: number[] = []
  while (stack.length > 0) {
    const at = stack[stack.length - 1] as number
    const next = left[at]?.pop()
    if (next === undefined) found.push(stack.pop() as number)
    else stack.push(next)
  }
  return found.reverse()
}
