// A long log, piece by piece: what is kept of it does not grow with it. IOMMU_LOG_MEGABYTES=100 makes it a really long one.
import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { createLogExplainer, listEntries } from '../src/index.js'

const megabytes = Number(process.env['IOMMU_LOG_MEGABYTES'] ?? 4)
const PIECE = 2 ** 16

const corpus = (JSON.parse(readFileSync(new URL('fixtures/corpus.json', import.meta.url), 'utf8')) as readonly { readonly text?: string }[])
  .flatMap(({ text }) => (text === undefined ? [] : [text]))

/** What a busy machine might write: the corpus, other programs' lines, and faults that all differ. */
function* pieces(): Generator<string> {
  let text = ''
  for (let index = 0, written = 0; written < megabytes * 2 ** 20; index++) {
    text += index % 3 === 0 ? `${corpus[index % corpus.length] as string}\n`
      : index % 3 === 1 ? `[${index}.5] usb 1-1: new high-speed USB device number ${index} using xhci_hcd\n`
        : `[${index}.6] DMAR: [DMA Write NO_PASID] Request device [${(index & 0xff).toString(16).padStart(2, '0')}:00.0] fault addr 0x${index.toString(16)}000 [fault reason 0x05] x\n`
    if (text.length < PIECE) continue
    written += text.length
    yield text
    text = ''
  }
}

test(`a log of ${megabytes} MB`, { timeout: 600_000 }, async () => {
  await listEntries()
  const before = process.memoryUsage().rss
  let most = before
  const start = performance.now()
  const explainer = createLogExplainer()
  let lines = 0
  for (const piece of pieces()) {
    await explainer.write(piece)
    lines += piece.split('\n').length - 1
    most = Math.max(most, process.memoryUsage().rss)
  }
  const { items, leftOut = 0, otherLines } = await explainer.end()
  const seconds = (performance.now() - start) / 1000
  process.stdout.write(`${lines.toLocaleString('en')} lines, ${megabytes} MB: ${seconds.toFixed(1)} s, ${Math.round((most - before) / 1e6)} MB more memory at the most\n`)
  expect(items.length).toBeLessThanOrEqual(2 ** 15 + 2 ** 12)
  expect(items.reduce((sum, { count }) => sum + count, leftOut + otherLines)).toBeLessThanOrEqual(lines)
  expect(most - before).toBeLessThan(500e6)
  expect(seconds).toBeLessThan(5 + megabytes)
})
