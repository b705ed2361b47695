// The page itself: small, quick, served or from a disk, readable from 360 px to 4K; and the pictures of the documents.
import { mkdirSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { gzipSync } from 'node:zlib'
import type { Page } from 'playwright-core'
import { expect, test } from 'vitest'
import { servePage } from '../../cli/src/serve-page.js'
import { describeOnChromium, violations } from './on-chromium.js'

/** First load, compressed. */
const FIRST_LOAD_BYTES = 60_000
/** Everything that any view and any vendor loads. */
const WHOLE_BYTES = 400_000

const PASTED = `#paste?${new URLSearchParams({ text: '0x0:0x800002:0x1038a5089', as: 'vtd.pasid' }).toString()}`
const FAULT = `#paste?${new URLSearchParams({ text: '[6611.206544] DMAR: [DMA Read NO_PASID] Request device [03:00.0] fault addr 0x100000 [fault reason 0x71]' }).toString()}`

const ready: Readonly<Record<string, string>> = { [PASTED]: '.fields tbody tr', [FAULT]: '.explained dl', '#blocked': '.drop', '#play?step=1': '.now .bit.changed', '#classify?driver=amd': '.replayed' }

const sizeOf = (file: string): number => gzipSync(readFileSync(file)).length

const overflow = (page: Page): Promise<number> => page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth)

describeOnChromium('the page', (explorer) => {
  test('what loads first, and what all of it takes, is within budget', () => {
    const page = readFileSync(join(explorer.folder, 'index.html'), 'utf8')
    const first = ['index.html', ...[...page.matchAll(/(?:src|href)="\.\/([^"]+)"/g)].map(([, name]) => name as string)]
    expect(first.length).toBeGreaterThan(2)
    expect(first.reduce((sum, name) => sum + sizeOf(join(explorer.folder, name)), 0)).toBeLessThan(FIRST_LOAD_BYTES)
    const all = readdirSync(join(explorer.folder, 'assets')).filter((name) => !name.startsWith('example-'))
    expect(all.reduce((sum, name) => sum + sizeOf(join(explorer.folder, 'assets', name)), 0)).toBeLessThan(WHOLE_BYTES)
    expect(page).not.toMatch(/type="module"|https?:\/\/(?!www\.w3\.org)/)
  })

  test('answers within a second of the first key', async () => {
    const page = await explorer.open()
    const begun = await page.evaluate(() => performance.now())
    await page.click('.chip >> nth=0')
    await page.waitForSelector('.explained dl')
    // The vendor's part is loaded in this time, too.
    expect(await page.evaluate(() => performance.now())).toBeLessThan(begun + 1000)
    await page.context().close()
  })

  test('the same from a server as from a disk', async () => {
    const served = await servePage(explorer.folder, 0)
    for (const fragment of Object.keys(ready)) {
      const [one, other] = await Promise.all([explorer.open(fragment), explorer.open(fragment, {}, served.address)])
      await Promise.all([one, other].map((page) => page.waitForSelector(ready[fragment] as string)))
      if (fragment.startsWith('#classify')) await Promise.all([one, other].map((page) => page.waitForSelector('text=Of the thread')))
      expect(await other.textContent('main')).toBe(await one.textContent('main'))
      await Promise.all([one, other].map((page) => page.context().close()))
    }
    await served.close()
  })

  test('the views are links; back leads back', async () => {
    const page = await explorer.open()
    for (const title of ['Why blocked', 'Play', 'Classify', 'Paste anything']) {
      await page.click(`nav a:text-is("${title}")`)
      await page.waitForSelector(`nav a[aria-current=page]:text-is("${title}")`)
    }
    await page.goBack()
    await page.waitForSelector('nav a[aria-current=page]:text-is("Classify")')
    await page.goBack()
    await page.goBack()
    await page.goBack()
    await page.click('.welcome a >> nth=0')
    await page.waitForSelector('.film h2')
    await page.goBack()
    await page.waitForSelector('.welcome')
    expect(await violations(page)).toEqual([])
    await page.context().close()
  })

  test.each([360, 1280, 3840])('nothing runs out of the page at %i px', async (width) => {
    for (const fragment of Object.keys(ready)) {
      const page = await explorer.open(fragment, { viewport: { width, height: 800 } })
      await page.waitForSelector(ready[fragment] as string)
      expect(await overflow(page), fragment).toBeLessThanOrEqual(0)
      const size = await page.evaluate(() => parseFloat(getComputedStyle(document.body).fontSize))
      expect(size).toBeGreaterThanOrEqual(15)
      if (width === 3840) expect(size).toBeGreaterThanOrEqual(22)
      await page.context().close()
    }
  })

  test('moves nothing for those who asked for no motion', async () => {
    const page = await explorer.open(PASTED)
    await page.waitForSelector('.bit')
    expect(await page.$eval('.bit', (bit) => getComputedStyle(bit).transitionDuration)).toBe('0s')
    await page.context().close()
  })

  // IOMMU_SCREENSHOTS=1 writes them into docs/explorer; else they are only made.
  test('the pictures of the documents', async () => {
    const folder = process.env['IOMMU_SCREENSHOTS'] === '1' ? fileURLToPath(new URL('../../../docs/explorer', import.meta.url)) : join(explorer.folder, 'pictures')
    mkdirSync(folder, { recursive: true })
    const shoot = async (
      name: string, fragment: string, options: Parameters<typeof explorer.open>[1], prepare?: (page: Page) => Promise<unknown>,
    ): Promise<void> => {
      const page = await explorer.open(fragment, { viewport: { width: 1100, height: 760 }, ...options })
      await page.waitForSelector(ready[fragment] as string)
      await prepare?.(page)
      const picture = await page.screenshot({ path: join(folder, `${name}.png`) })
      expect(picture.length).toBeGreaterThan(10_000)
      expect(picture.length).toBeLessThan(200_000)
      await page.context().close()
    }
    await shoot('paste', PASTED, {}, (page) => page.hover('[data-bit="7"]'))
    await shoot('fault', FAULT, {})
    await shoot('blocked', '#blocked', {}, async (page) => {
      await page.click('.chip >> nth=1')
      await page.waitForSelector('.path .end')
      await page.locator('.question').evaluate((form) => form.scrollIntoView())
    })
    await shoot('play', '#play?step=1', { viewport: { width: 1100, height: 900 } }, (page) => page.locator('.film').evaluate((film) => film.scrollIntoView()))
    await shoot('play-dark-360', '#play?step=1', { viewport: { width: 360, height: 760 }, colorScheme: 'dark' },
      (page) => page.locator('.player').evaluate((film) => film.scrollIntoView()))
    await shoot('classify', '#classify?driver=amd', {}, (page) => page.waitForSelector('text=Of the thread'))
  })
})
