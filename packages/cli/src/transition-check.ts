// Judges another program's way from one version of an entry to another: there are many legal orders, and a few rules for all.

/** What is compared, and what was found instead. */
export interface Difference {
  readonly member: string
  readonly expected: unknown
  readonly found: unknown
}

/** What a transition's vector gives, as far as it is judged by. */
interface Change {
  readonly from: readonly string[]
  readonly to: readonly string[]
  /** Bits that are all 1 where the entry answers DMA. */
  readonly live: readonly number[]
}

type Members = Readonly<Record<string, unknown>>

const isObject = (value: unknown): value is Members => typeof value === 'object' && value !== null && !Array.isArray(value)
const isWord = (value: unknown): value is string => typeof value === 'string' && /^0x[0-9a-f]{1,16}$/i.test(value)
const isIndex = (value: unknown, limit: number): value is number => Number.isInteger(value) && (value as number) >= 0 && (value as number) < limit

const WORD_BITS = 64
const isLive = (live: readonly number[], words: readonly bigint[]): boolean => live.every((bit) =>
  ((words[Math.floor(bit / WORD_BITS)] as bigint) >> BigInt(bit % WORD_BITS) & 1n) === 1n)

/** The stores of a step; undefined where it is not well formed. */
const storeOf = (step: Members, size: number): { readonly index: number; readonly words: readonly bigint[] } | undefined => {
  const { index, words } = step
  if (!Array.isArray(words) || words.length === 0 || !words.every(isWord) || !isIndex(index, size - words.length + 1)) return undefined
  return { index, words: words.map(BigInt) }
}

/** Stores and invalidations, one after the other, and the first rule that is broken. */
const replay = (
  { from, live }: Change, steps: readonly unknown[], hitless: boolean,
): { readonly now: readonly bigint[]; readonly broken?: Difference } => {
  const now = from.map(BigInt)
  const wasLive = isLive(live, now)
  // What hardware may have kept of the entry since it was live, and nobody has told it to forget.
  let kept = false
  const fail = (at: number, expected: string, found: unknown): { now: bigint[]; broken: Difference } =>
    ({ now, broken: { member: `steps.${at}`, expected, found } })
  for (const [at, step] of steps.entries()) {
    if (!isObject(step)) return fail(at, 'an object', step)
    if (step['do'] === 'invalidate') kept = false
    if (step['do'] !== 'store') continue
    const store = storeOf(step, now.length)
    if (store === undefined) return fail(at, 'a store with an index and words inside the entry', step)
    const before = [...now]
    store.words.forEach((word, index) => { now[store.index + index] = word })
    const changed = now.some((word, index) => word !== before[index])
    const [had, has] = [isLive(live, before), isLive(live, now)]
    if (hitless && !has) return fail(at, 'the entry live after every store, since the change is hitless', step)
    if (!had && has && kept) return fail(at, 'an invalidation between the store that ends the old entry and the one that begins the new one', step)
    kept ||= changed && had
  }
  return wasLive && kept ? fail(steps.length - 1, 'an invalidation after the last store to a live entry', 'none') : { now }
}

/** The first difference: another `hitless`, a broken rule, or another end than `to`. */
export const judgeTransition = (given: Change, expected: { readonly hitless: boolean }, answer: unknown): Difference | undefined => {
  if (!isObject(answer) || answer['hitless'] !== expected.hitless) {
    return { member: 'hitless', expected: expected.hitless, found: isObject(answer) ? answer['hitless'] : answer }
  }
  const { steps } = answer
  if (!Array.isArray(steps)) return { member: 'steps', expected: 'a list', found: steps }
  const { now, broken } = replay(given, steps as readonly unknown[], expected.hitless)
  if (broken !== undefined) return broken
  const ends = now.map((word) => `0x${word.toString(16).padStart(16, '0')}`)
  return ends.every((word, index) => BigInt(word) === BigInt(given.to[index] as string)) ? undefined
    : { member: 'steps', expected: `stores that end in ${given.to.join(' ')}`, found: ends.join(' ') }
}
