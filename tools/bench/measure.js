// How the bench measures: the best of some repetitions in a round, ratios within a round, medians over the rounds.

/** Repetitions of which the best counts: in each round, and before the first. */
const REPEATS = 5
const WARM_UP = 40

/** Nanoseconds that `run` takes. */
export const timed = (run) => {
  const from = process.hrtime.bigint()
  run()
  return Number(process.hrtime.bigint() - from)
}

/** The least of some runs, each of which answers what it measured. */
const best = (run, repeats) => {
  let least = run()
  for (let repeat = 1; repeat < repeats; repeat++) {
    const next = run()
    if (next.ns < least.ns) least = next
  }
  return least
}

/** @param {number[]} numbers */
export const spread = (numbers) => {
  const sorted = [...numbers].sort((one, other) => one - other)
  return { median: sorted[sorted.length >> 1], least: sorted[0], most: sorted[sorted.length - 1] }
}

/**
 * One line of the table. `run` makes one repetition and answers nanoseconds per unit and a checksum. `peer` is the
 * operation of peer.c that it is held against; `same`: on tables of the peer's format, so that the checksums must agree.
 * @typedef {{ subject: string, name: string, run: () => { ns: number, checksum: number }, peer?: string, same?: boolean,
 *   goal?: number, guard?: boolean, slow?: boolean }} Row
 */

/**
 * Measures rows, all of them warm, round by round with the peer in turn: what else the machine does meets both sides.
 * @param {readonly Row[]} rows
 * @param {(operation: string) => { ns: number, checksum: number }} peer
 */
export const measure = (rows, rounds, peer) => {
  const measured = rows.map((row) => ({ ...row, ns: [], peerNs: [], ratios: [] }))
  for (const { run, slow } of measured) best(run, slow ? 3 : WARM_UP)
  for (let round = 0; round < rounds; round++) {
    const theirs = new Map()
    for (const row of measured) {
      const ours = best(row.run, row.slow ? 2 : REPEATS)
      row.ns.push(ours.ns)
      if (row.peer === undefined) continue
      // Formats that are held against the same operation share the peer's run of the round, unless it is long ago.
      const known = theirs.get(row.peer)
      const its = known !== undefined && row.same !== true ? known : peer(row.peer)
      theirs.set(row.peer, its)
      if (row.same && ours.checksum !== its.checksum) {
        throw new Error(`${row.name}: the peer's tables have checksum ${its.checksum}, ours ${ours.checksum}`)
      }
      row.peerNs.push(its.ns)
      row.ratios.push(ours.ns / its.ns)
    }
  }
  return measured.map(({ subject, name, goal, guard, ns, peerNs, ratios }) => ({
    subject, name, ns: spread(ns).median,
    peerNs: ratios.length === 0 ? null : spread(peerNs).median, ratio: ratios.length === 0 ? null : spread(ratios),
    goal: goal ?? null, guard: guard === true,
  }))
}
