// Whatever the text: an answer, and soon. Random bytes, cut lines, huge numbers, lines of several reports between each other.
import { readFileSync } from 'node:fs'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { createLogExplainer, explain, explainedBlocks, explainLog, explanationSummary, InputError, listEntries } from '../src/index.js'
import type { Explanation } from '../src/index.js'

await listEntries()

const corpus = (JSON.parse(readFileSync(new URL('fixtures/corpus.json', import.meta.url), 'utf8')) as readonly { readonly text?: string }[])
  .flatMap(({ text }) => (text === undefined ? [] : [text]))
const someText = fc.constantFrom(...corpus)
const someLine = fc.constantFrom(...new Set(corpus.flatMap((text) => text.split('\n'))))

/** What holds of every explanation. */
const isSound = (result: Explanation, text: string): void => {
  const lines = text.split('\n').length
  const counted = result.items.reduce((sum, { count }) => sum + count, 0)
  expect(counted + result.otherLines + (result.leftOut ?? 0)).toBeLessThanOrEqual(lines)
  for (const { code, address, device } of result.items) {
    if (code !== undefined) expect(Number.isSafeInteger(code)).toBe(true)
    if (address !== undefined) expect(address).toMatch(/^0x[0-9a-f]{1,16}$/)
    if (device !== undefined) expect(device.length).toBeLessThan(100)
  }
  expect(explainedBlocks(result).length).toBeLessThanOrEqual(result.items.length)
  for (const line of explanationSummary(result)) expect(line).not.toMatch(/undefined|NaN/)
  for (const { title, rows } of explainedBlocks(result)) {
    expect(title).not.toBe('')
    for (const [label, said] of rows) expect(`${label} ${said}`).not.toMatch(/undefined|NaN/)
  }
}

const check = async (text: string): Promise<void> => isSound(await explainLog(text), text)

/** A line with one of its numbers exchanged. */
const withNumber = fc.tuple(someText, fc.nat(), fc.oneof(
  fc.bigInt({ min: 0n, max: 2n ** 80n }).map((value) => value.toString(16)), fc.bigInt({ min: 0n, max: 10n ** 30n }).map(String), fc.constantFrom('', 'ffffffff', '-1', '0x', '1e9'),
)).map(([text, pick, number]) => {
  const numbers = [...text.matchAll(/\b(?:0x)?[0-9a-f]+\b/gi)]
  const chosen = numbers[pick % Math.max(1, numbers.length)]
  return chosen === undefined ? text : `${text.slice(0, chosen.index)}${chosen[0].startsWith('0x') ? '0x' : ''}${number}${text.slice(chosen.index + chosen[0].length)}`
})

const RUNS = { numRuns: 300 } as const

describe('no text crashes it', () => {
  test('random characters', () => fc.assert(fc.asyncProperty(fc.string({ unit: 'binary', maxLength: 400 }), check), RUNS))

  test('random bytes after what every vendor begins with', () => fc.assert(fc.asyncProperty(
    fc.constantFrom('DMAR: ', 'AMD-Vi: Event logged [', 'arm-smmu-v3 x: event ', 'arm-smmu-v3 x: ', 'riscv,iommu x: Fault ', 'INTR-REMAP: '),
    fc.string({ unit: 'grapheme-ascii', maxLength: 200 }), (start, text) => check(start + text)), RUNS))

  test('cut lines', () => fc.assert(fc.asyncProperty(someText, fc.nat(), fc.nat(), (text, one, other) => {
    const [from, to] = [one % text.length, other % text.length].sort((a, b) => a - b) as [number, number]
    return check(text.slice(from, to))
  }), RUNS))

  test('huge numbers, and none', () => fc.assert(fc.asyncProperty(withNumber, check), { numRuns: 1000 }))

  test('lines between lines', () => fc.assert(fc.asyncProperty(fc.array(someLine, { maxLength: 40 }), (lines) => check(lines.join('\n'))), RUNS))

  test('one name or line by itself: an answer, or one sentence', () => fc.assert(fc.asyncProperty(
    fc.oneof(fc.string({ maxLength: 60 }), someLine, fc.stringMatching(/^[a-z.0-9x:]{1,20}$/)), async (text) => {
      try {
        await explain(text)
      } catch (error) {
        expect(error).toBeInstanceOf(InputError)
      }
    }), RUNS))
})

describe('a log in pieces', () => {
  test('is what it is at once, wherever it is cut', () => fc.assert(fc.asyncProperty(
    fc.array(someText, { minLength: 1, maxLength: 8 }), fc.array(fc.nat(), { maxLength: 12 }), async (texts, cuts) => {
      const text = texts.join('\n')
      const places = [...new Set(cuts.map((cut) => cut % text.length)), text.length].sort((a, b) => a - b)
      const explainer = createLogExplainer()
      let from = 0
      for (const to of places) {
        await explainer.write(text.slice(from, to))
        from = to
      }
      expect(await explainer.end()).toEqual(await explainLog(text))
    }), RUNS))

  test('vendors mixed line by line say what they say alone', () => fc.assert(fc.asyncProperty(
    fc.array(fc.constantFrom(...corpus.filter((text) => /^DMAR: \[DMA/.test(text))), { maxLength: 5 }),
    fc.array(fc.constantFrom(...corpus.filter((text) => text.startsWith('arm-smmu-v3 ') && text.includes('\n'))), { maxLength: 5 }),
    fc.infiniteStream(fc.boolean()), async (vtd, smmu, turns) => {
      const queues = [vtd.join('\n').split('\n'), smmu.join('\n').split('\n')] as [string[], string[]]
      const mixed: string[] = []
      while (queues[0].length + queues[1].length > 0) {
        const [mine, others] = turns.next().value === true ? queues : [queues[1], queues[0]]
        mixed.push((mine.length > 0 ? mine : others).shift() as string)
      }
      const sorted = ({ items }: Explanation): string[] => items.map((item) => JSON.stringify(item)).sort()
      expect(sorted(await explainLog(mixed.join('\n')))).toEqual(
        [...sorted(await explainLog(vtd.join('\n'))), ...sorted(await explainLog(smmu.join('\n')))].sort())
    }), RUNS))
})

describe('time and memory', () => {
  /** Milliseconds of the fastest of some runs. */
  const fastest = async (text: string): Promise<number> => {
    let best = Infinity
    for (let run = 0; run < 3; run++) {
      const start = performance.now()
      await explainLog(text)
      best = Math.min(best, performance.now() - start)
    }
    return best
  }

  test.each([
    ['one fault, again and again', () => 'DMAR: [DMA Read NO_PASID] Request device [03:00.0] fault addr 0x1000 [fault reason 0x06] x\n'],
    ['faults that all differ', (index: number) => `DMAR: [DMA Read NO_PASID] Request device [03:00.0] fault addr 0x${index.toString(16)}000 [fault reason 0x06] x\n`],
    ['devices that all differ', (index: number) => `riscv,iommu x: Fault 13 devid: 0x${index.toString(16)} iotval: 1000 iotval2: 0\n`],
    ['nothing of an IOMMU', (index: number) => `usb 1-1: new high-speed USB device number ${index}\n`],
    ['the whole corpus', (index: number) => `${corpus[index % corpus.length] as string}\n`],
  ])('%s: twice the text takes about twice the time', { timeout: 60_000, retry: 2 }, async (_name, line) => {
    const text = (lines: number): string => Array.from({ length: lines }, (_, index) => line(index)).join('')
    const [half, whole] = [text(8000), text(16_000)]
    await explainLog(half)
    // Up to 10 ms are noise; other programs may run beside this one.
    expect(await fastest(whole)).toBeLessThan(4 * await fastest(half) + 10)
  })

  test('of very many kinds of reports only so many are kept, and all are counted', { timeout: 60_000 }, async () => {
    const lines = 60_000
    const explainer = createLogExplainer()
    for (let index = 0; index < lines; index++) {
      await explainer.write(`riscv,iommu x: Fault 13 devid: 0x${index.toString(16)} iotval: ${index.toString(16)}000 iotval2: 0\n`)
    }
    const { items, devices, leftOut = 0 } = await explainer.end()
    expect(items.length).toBeLessThanOrEqual(2 ** 15 + 2 ** 12)
    expect(devices.length).toBe(2 ** 14)
    expect(items.reduce((sum, { count }) => sum + count, leftOut)).toBe(lines)
  })

  test('reports beyond that of one device are still its own', { timeout: 60_000 }, async () => {
    const lines = 50_000
    const text = Array.from({ length: lines }, (_, index) =>
      `DMAR: [DMA Read NO_PASID] Request device [03:00.0] fault addr 0x${index.toString(16)}000 [fault reason 0x06] x\n`).join('')
    const { items, devices, leftOut } = await explainLog(text)
    expect(items).toHaveLength(2 ** 15 + 1)
    expect(items.at(-1)).toMatchObject({ device: '03:00.0', count: lines - 2 ** 15, details: ['at very many addresses, which are not listed each for itself'] })
    expect(items.at(-1)).not.toHaveProperty('address')
    expect(devices).toMatchObject([{ faults: lines, reasons: [{ code: 6, count: lines }] }])
    expect(leftOut).toBeUndefined()
  })
})
