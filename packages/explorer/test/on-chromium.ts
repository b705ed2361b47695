// Tests that need Chromium: run where there is one, and named in one line where there is none.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import AxeSource from 'axe-core'
import { chromium } from 'playwright-core'
import type { Browser, BrowserContextOptions, Page } from 'playwright-core'
import { build } from 'vite'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { findBrowser, HOW_TO_GET } from '../../../tools/browser-setup/browsers.js'

const found = findBrowser()
/** In CI a missing Chromium is an error. */
const required = process.env['IOMMU_REQUIRE_BROWSER'] === '1'

const root = fileURLToPath(new URL('..', import.meta.url))

/** The page as built for these tests, and a browser. */
export interface Explorer {
  /** The folder that holds index.html. */
  readonly folder: string
  /** A page from the disk, with what stands behind `#`; `base` is where it comes from instead. Its errors fail the test that made them. */
  open(fragment?: string, options?: BrowserContextOptions, base?: string): Promise<Page>
}

/** What axe-core finds wrong with the page as it stands, one line for each rule. */
export const violations = async (page: Page): Promise<string[]> => {
  await page.addScriptTag({ content: AxeSource.source })
  const { violations: all } = await page.evaluate(() => (globalThis as unknown as { axe: Pick<typeof AxeSource, 'run'> }).axe.run())
  return all.map(({ id, help, nodes }) => `${id}: ${help}: ${nodes[0]?.html}: ${nodes[0]?.failureSummary}`)
}

/** Builds the page into a folder. */
const buildInto = (folder: string): Promise<unknown> =>
  build({ root, configFile: join(root, 'vite.config.ts'), logLevel: 'error', build: { outDir: folder, emptyOutDir: true } })

/** `what` is what these tests are about. */
export const describeOnChromium = (what: string, body: (explorer: Explorer) => void): void => {
  if (found === undefined) {
    const line = `${what}: not run, there is no Chromium: ${HOW_TO_GET}`
    test(line, () => {
      process.stderr.write(`${line}\n`)
      expect(required, line).toBe(false)
    })
    return
  }
  const { file, env } = found
  describe(`${what}, in Chromium`, () => {
    const folder = mkdtempSync(join(tmpdir(), 'explorer-'))
    let browser: Browser | undefined
    const errors: string[] = []
    beforeAll(async () => {
      [browser] = await Promise.all([
        chromium.launch({ executablePath: file, env: { ...process.env as Record<string, string>, ...env } }),
        buildInto(folder),
      ])
    })
    afterAll(async () => {
      await browser?.close()
      rmSync(folder, { recursive: true, force: true })
      expect(errors).toEqual([])
    })
    body({
      folder,
      async open(fragment = '', options = {}, base = pathToFileURL(join(folder, 'index.html')).href) {
        const context = await (browser as Browser).newContext({
          viewport: { width: 1280, height: 900 }, colorScheme: 'light', reducedMotion: 'reduce', ...options,
        })
        const page = await context.newPage()
        page.setDefaultTimeout(15_000)
        page.on('pageerror', (error) => errors.push(error.stack ?? error.message))
        page.on('request', (request) => {
          if (!/^(?:file|data|blob):|^http:\/\/127\.0\.0\.1/.test(request.url())) errors.push(`asked for ${request.url()}`)
        })
        await page.goto(`${base}${fragment}`)
        return page
      },
    })
  })
}
