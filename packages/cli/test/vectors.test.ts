// The vectors verb: what it prints, and how it judges other programs; one of them is in C.
import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, describe, expect, test } from 'vitest'
import { judgeTransition } from '../src/transition-check.js'
import { checkProgram } from '../src/vector-check.js'
import { vectorsOf, VECTOR_VENDORS } from '../src/vector-files.js'
import type { Vector } from '../src/vector-files.js'
import { iommu, json } from './command.js'

const folder = mkdtempSync(join(tmpdir(), 'iommu-vectors-'))
afterAll(() => rmSync(folder, { recursive: true }))

/** A program that answers each line with what `answer` makes of it: the body of a function of `question`. */
const program = (name: string, answer: string): string => {
  const file = join(folder, name)
  writeFileSync(file, `
import { createInterface } from 'node:readline'
for await (const line of createInterface({ input: process.stdin })) {
  const question = JSON.parse(line)
  ${answer}
}
`)
  return `"${process.execPath}" "${file}"`
}

describe('iommu vectors', () => {
  test('prints one JSON line each', async () => {
    const { stdout, code } = await iommu(['vectors', '--vendor', 'vtd', '--kind', 'encode'])
    const lines = stdout.trim().split('\n').map((line) => JSON.parse(line) as { id: string; kind: string })
    expect(code).toBe(0)
    expect(new Set(lines.map(({ kind }) => kind))).toEqual(new Set(['encode']))
    expect(lines[0]?.id).toMatch(/^encode\/vtd\./)
  })
  test('and all of them as one object', async () => {
    const { schema, vectors } = await json(['vectors', '--vendor', 'vtd']) as { schema: string; vectors: unknown[] }
    expect(schema).toBe('iommu.vectors/1')
    expect(vectors).toHaveLength(vectorsOf('vtd').length)
  })
  test.each([
    [['--vendor', 'arm'], 'there is no vendor "arm"; there are vtd, amd, smmuv3, riscv'],
    [['--kind', 'guess'], 'there is no kind "guess"; there are decode, encode, walk, transition, line'],
    [['./decoder'], '"./decoder" is not expected; a program to ask goes behind --check'],
  ])('refuses %j', async (args, message) => {
    expect(await iommu(['vectors', ...args])).toMatchObject({ code: 2, stderr: `iommu vectors: ${message}\n` })
  })
})

describe('iommu vectors --check', () => {
  test('a program in C is right about the entries that it knows', async () => {
    const binary = join(folder, 'decoder')
    execFileSync('cc', ['-O2', '-Wall', '-Wextra', '-Werror', '-Wno-missing-field-initializers', '-o', binary, fileURLToPath(new URL('../../../tools/vectors/example/decoder.c', import.meta.url))])
    for (const [kind, least] of [['decode', 5], ['transition', 40]] as const) {
      const { code, stdout } = await iommu(['vectors', '--vendor', 'vtd', '--kind', kind, '--check', binary])
      expect(stdout).toMatch(/^\d+ equal, 0 different, \d+ unsupported\n$/)
      expect(Number(/^\d+/.exec(stdout)?.[0])).toBeGreaterThan(least)
      expect(code).toBe(0)
    }
  })
  test('a wrong bit is found, and shown with both values', async () => {
    const wrong = program('wrong.mjs', `
      if (question.given.entry !== 'vtd.root') console.log(JSON.stringify({ id: question.id, unsupported: true }))
      else console.log(JSON.stringify({ id: question.id, result: { fields: { P: '0x2' }, reserved: [] } }))`)
    const { code, stdout } = await iommu(['vectors', '--vendor', 'vtd', '--kind', 'decode', '--check', wrong])
    expect(code).toBe(1)
    expect(stdout).toMatch(/^✗ decode\/vtd\.root#\d+ {2}fields\.P: expected "0x[01]", found "0x2"$/m)
  })
  test('spelling does not matter, nor do members of its own', async () => {
    const [first] = vectorsOf('vtd')
    const other = program('other.mjs', `console.log(JSON.stringify({ id: question.id, result: { fields: { P: 0, CTP: '0X${'0'.repeat(3)}4FE308A5F9466000', mine: 1 }, reserved: [
      { high: '0xb', low: 1, value: '0x565' }, { high: 127, low: 64, value: '0xF2B04A8CC0069BAA' }] } }))`)
    expect(first?.id).toBe('decode/vtd.root#0')
    expect(await checkProgram(other, vectorsOf('vtd').slice(0, 1), 5000)).toEqual([{ id: 'decode/vtd.root#0', status: 'equal' }])
  })
  test('who supports nothing is not right', async () => {
    const none = program('none.mjs', 'console.log(JSON.stringify({ id: question.id, unsupported: true }))')
    expect((await iommu(['vectors', '--vendor', 'vtd', '--kind', 'line', '--check', none])).code).toBe(1)
  })
  test.each([
    ['ends.mjs', 'process.exit(0)', /ended with 16 of 16 vectors not answered/],
    ['talks.mjs', 'console.log("hello")', /the program's line is no JSON: hello/],
    ['invents.mjs', 'console.log(\'{"id":"mine"}\')', /has no "id" of a vector that was asked/],
  ])('%s is bad input', async (name, answer, message) => {
    const { code, stderr } = await iommu(['vectors', '--vendor', 'vtd', '--kind', 'line', '--check', program(name, answer)])
    expect(stderr).toMatch(message)
    expect(code).toBe(2)
  })
  test('silence is bad input', async () => {
    const silent = program('silent.mjs', 'await new Promise((resolve) => setTimeout(resolve, 60_000))')
    await expect(checkProgram(silent, vectorsOf('vtd').slice(0, 2), 300)).rejects.toThrow('silent for 0.3 s; 2 of 2 vectors')
  })
})

describe('transitions are judged by what they do', () => {
  const vectors = VECTOR_VENDORS.flatMap((vendor) => vectorsOf(vendor)).filter(({ kind }) => kind === 'transition')
  type Given = Parameters<typeof judgeTransition>[0]
  interface Order { readonly hitless: boolean; readonly steps: readonly Step[] }
  interface Step { readonly do: string; readonly index?: number; readonly words?: readonly string[] }
  const judged = (each: Vector, change: (order: Order) => unknown): ReturnType<typeof judgeTransition> =>
    judgeTransition(each.given as Given, each.result as Order, change(each.result as Order))

  test('every vector\'s own order is right', () => {
    expect(vectors.length).toBeGreaterThan(200)
    expect(vectors.flatMap((each) => judged(each, (order) => order) ?? [])).toEqual([])
  })
  const some = (wanted: (order: Order) => boolean): Vector => {
    const found = vectors.find(({ given, result }) => (given as { entry: string }).entry === 'smmuv3.ste' && wanted(result as Order))
    if (found === undefined) throw new Error('there is none')
    return found
  }
  const stores = ({ steps }: Order): number => steps.filter((step) => step.do === 'store').length
  const hitless = some((order) => order.hitless && stores(order) > 1)
  const broken = some((order) => !order.hitless && stores(order) > 3)
  test.each<readonly [string, Vector, (order: Order) => unknown, string]>([
    ['the other answer to hitless', hitless, (order) => ({ ...order, hitless: false }), 'hitless'],
    ['no steps', hitless, ({ hitless: is }) => ({ hitless: is }), 'steps'],
    ['a store less', hitless, ({ steps, ...order }) => ({ ...order, steps: steps.filter((step) => step !== steps.find((each) => each.do === 'store')) }), 'steps'],
    ['no invalidation', hitless, ({ steps, ...order }) => ({ ...order, steps: steps.filter((step) => step.do !== 'invalidate') }), 'steps.'],
    ['no invalidation while the entry is not live', broken, ({ steps, ...order }) => ({ ...order, steps: steps.filter((step) => step.do !== 'invalidate') }), 'steps.'],
    ['hitless, and V is cleared', hitless, ({ steps, ...order }) => ({ ...order, steps: [{ do: 'store', index: 0, words: ['0x0'] }, ...steps] }), 'steps.0'],
    ['a word outside of the entry', hitless, ({ steps, ...order }) => ({ ...order, steps: [...steps, { do: 'store', index: 8, words: ['0x0'] }] }), 'steps.'],
    ['no object', hitless, () => 'yes', 'hitless'],
  ])('%s is a difference', (_what, each, change, member) => {
    expect(judged(each, change)?.member).toContain(member)
  })
})
