// The guard: holds measured ratios against those of the baseline. Machines and runs differ; what it stops is a cliff.

/** A ratio may be this many times the baseline's. */
const ROOM = 1.5
/** V8 inlines differently from run to run, and machines have bad seconds: what is slow is measured again so often. */
const AGAIN = 2

const keyOf = ({ subject, name }) => `${subject}: ${name}`

/** The ratios that a baseline keeps. */
export const baselineOf = (results) =>
  Object.fromEntries(results.map((result) => [keyOf(result), Number(result.ratio.median.toPrecision(3))]))

/**
 * @param {readonly { subject: string, name: string }[]} rows
 * @param {(rows: readonly object[]) => readonly { subject: string, name: string, ratio: { least: number, median: number } | null }[]} measured
 * @param {Readonly<Record<string, number>>} baseline ratios by "subject: name"
 */
export const guard = (rows, measured, baseline) => {
  const lines = []
  // The least: a disturbed round is slower on our side, never faster for good reasons.
  const slow = (result) => !(result.ratio?.least <= baseline[keyOf(result)] * ROOM)
  let left = rows.filter((row) => baseline[keyOf(row)] !== undefined)
  for (let turn = 0; turn <= AGAIN && left.length > 0; turn++) {
    const results = measured(left)
    for (const result of results) {
      const { ratio } = result
      lines.push(`${slow(result) ? 'SLOWER' : 'fine  '}  ${keyOf(result)}: ${ratio?.median.toFixed(2)}x, least ${ratio?.least.toFixed(2)}x, baseline ${baseline[keyOf(result)].toFixed(2)}x`)
    }
    const again = new Set(results.filter(slow).map(keyOf))
    left = left.filter((row) => again.has(keyOf(row)))
    if (left.length > 0 && turn < AGAIN) lines.push('once more:')
  }
  const unknown = rows.filter((row) => baseline[keyOf(row)] === undefined).map((row) => `${keyOf(row)}: not in the baseline`)
  const missing = Object.keys(baseline).filter((key) => !rows.some((row) => keyOf(row) === key)).map((key) => `${key}: in the baseline, and not measured`)
  return { lines: [...lines, ...unknown, ...missing], failed: left.length + unknown.length + missing.length > 0 }
}
