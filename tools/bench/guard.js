// The guard: holds measured ratios against those of the baseline. Machines and runs differ; what it stops is a cliff.

/** A ratio may be this many times the baseline's. */
const ROOM = 1.5

/**
 * @param {readonly { subject: string, name: string, ratio: { least: number, median: number } | null }[]} results
 * @param {Readonly<Record<string, number>>} baseline ratios by "subject: name"
 */
export const guard = (results, baseline) => {
  const judged = results.map(({ subject, name, ratio }) => {
    const key = `${subject}: ${name}`
    const was = baseline[key]
    if (was === undefined) return { line: `${key}: not in the baseline`, bad: true }
    // The least: a disturbed run is slower on our side, never faster for good reasons.
    const bad = ratio === null || ratio.least > was * ROOM
    return { line: `${bad ? 'SLOWER' : 'fine  '}  ${key}: ${ratio?.median.toFixed(2)}x, least ${ratio?.least.toFixed(2)}x, baseline ${was.toFixed(2)}x`, bad }
  })
  const missing = Object.keys(baseline).filter((key) => !results.some(({ subject, name }) => `${subject}: ${name}` === key))
  return {
    lines: [...judged.map(({ line }) => line), ...missing.map((key) => `${key}: in the baseline, and not measured`)],
    failed: judged.some(({ bad }) => bad) || missing.length > 0,
  }
}
