// The window of a switch: every answer that was possible at any step, judged by the states before and after.
import type { Bench, Point } from './bench.js'
import { check } from './check.js'

/**
 * Runs a switch of `point` while its device does not pause. Every answer met in between must be one of those
 * before, one of those after, or a block: a right address under a wrong tag is a torn entry.
 */
export const watchSwitch = (bench: Bench, what: string, point: Point, run: () => void): void => {
  const probes = bench.addresses.probed.flatMap((address) => (['read', 'write'] as const).map((access) => ({ address, access })))
  const look = (): string[][] => probes.map(({ address, access }) => [...bench.whole(point, address, access)])
  const before = look()
  const seen = probes.map(() => new Map<string, string>())
  bench.watch(run, ({ kind }) => {
    look().forEach((answers, index) => {
      for (const answer of answers) if (seen[index]?.has(answer) === false) seen[index].set(answer, kind)
    })
    // What the device meets now may be kept.
    for (const address of bench.addresses.probed) bench.dma(point, address)
  })
  const after = look()
  probes.forEach(({ address, access }, index) => {
    const allowed = ['blocked', ...(before[index] ?? []), ...(after[index] ?? [])]
    for (const [answer, kind] of seen[index] ?? []) {
      check(allowed.includes(answer), `${what}, after a ${kind}: a ${access} of 0x${address.toString(16)} may meet ${answer}, which is neither before nor after`)
    }
  })
}
