// The walk through all switches: each once, and nothing twice.
import { expect, test } from 'vitest'
import { circuit } from '../src/adversary/circuit.js'

test.each([[1, []], [2, []], [2, [1]], [5, [2, 3, 4]], [8, [0, 7]]])('%i states, %j to themselves too', (count, loops) => {
  const order = circuit(count, new Set(loops))
  const pairs = order.slice(1).map((to, index) => `${order[index] ?? ''}>${to}`)
  expect(new Set(pairs).size).toBe(pairs.length)
  expect(pairs.length).toBe(count * (count - 1) + loops.length)
  expect([order[0], order.at(-1)]).toEqual([0, 0])
})
