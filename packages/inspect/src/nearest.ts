// The nearest of some known names to one that was mistyped.

/** Letters changed, left out, put in, or swapped with their neighbour. */
const distance = (one: string, other: string): number => {
  let above = Array.from({ length: other.length + 1 }, (_, index) => index)
  let twoAbove = above
  for (let row = 1; row <= one.length; row++) {
    const line = [row]
    for (let column = 1; column <= other.length; column++) {
      const change = (above[column - 1] as number) + (one[row - 1] === other[column - 1] ? 0 : 1)
      const swapped = one[row - 1] === other[column - 2] && one[row - 2] === other[column - 1] ? (twoAbove[column - 2] as number) + 1 : Infinity
      line.push(Math.min(change, swapped, (above[column] as number) + 1, (line[column - 1] as number) + 1))
    }
    twoAbove = above
    above = line
  }
  return above[other.length] as number
}

/** The name that needs the fewest changes; undefined where none is near. Capitals do not count. */
export const nearest = (wanted: string, known: Iterable<string>): string | undefined => {
  const asked = wanted.slice(0, 60).toLowerCase()
  let best: string | undefined
  let fewest = Math.max(2, Math.floor(asked.length / 2))
  for (const name of known) {
    const changes = distance(asked, name.toLowerCase())
    if (changes < fewest || (changes === fewest && best === undefined)) {
      best = name
      fewest = changes
    }
  }
  return best
}
