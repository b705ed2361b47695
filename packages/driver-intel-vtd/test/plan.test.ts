// Plans of entries that end absent: what is stored is written back, and nothing else is.
import { expect, test } from 'vitest'
import { planEntry } from '../src/programming/plan.js'
import type { PlanStep } from '../src/programming/plan.js'

const none = { removed: [], added: [], writeBuffer: false }
const store = (index: number, value: bigint): PlanStep => ({ do: 'store', index, value })
const writeBack: PlanStep = { do: 'write-back' }

test.each<[string, bigint[], bigint[], PlanStep[]]>([
  ['nothing differs', [4n, 8n], [4n, 8n], []],
  ['the first word of an absent entry', [0n, 8n], [4n, 8n], [store(0, 4n), writeBack]],
  ['another word of an absent entry', [4n, 0n], [4n, 8n], [store(1, 8n), writeBack]],
  ['both words of an absent entry', [0n, 0n], [4n, 8n], [store(1, 8n), store(0, 4n), writeBack]],
  ['P goes, and nothing else', [5n, 8n], [4n, 8n], [store(0, 4n), { do: 'order' }, writeBack]],
  ['P goes, and the rest of its word after it', [5n, 8n], [0n, 8n], [store(0, 4n), { do: 'order' }, writeBack, store(0, 0n), writeBack]],
  ['P goes, and another word after it', [5n, 8n], [4n, 0n], [store(0, 4n), { do: 'order' }, writeBack, store(1, 0n), writeBack]],
])('%s', (_what, from, to, steps) => {
  expect(planEntry(from, to, none)).toEqual(steps)
})
