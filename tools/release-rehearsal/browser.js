// Bundles run in a page: that they load there, and that what they promise holds there too.
/* global Blob -- of the page */
import { chromium } from 'playwright-core'
import { findBrowser, HOW_TO_GET } from '../browser-setup/browsers.js'

/** How a machine without a browser is told; with IOMMU_REQUIRE_BROWSER=1 that is a failure. */
export const NO_BROWSER = `bundles were made, and not run in a browser: there is no Chromium here. ${HOW_TO_GET}`

/** The browser, or undefined where there is none. The caller closes it. */
export const openBrowser = async () => {
  const found = findBrowser()
  if (found === undefined) return undefined
  return chromium.launch({ executablePath: found.file, env: { ...process.env, ...found.env }, args: ['--no-sandbox'] })
}

/** Runs a module in an empty page of its own. Throws what it throws. */
export const runInBrowser = async (browser, code) => {
  const page = await browser.newPage()
  try {
    const wrong = await page.evaluate(async (text) => {
      const address = URL.createObjectURL(new Blob([text], { type: 'text/javascript' }))
      try {
        await import(address)
        return undefined
      } catch (error) {
        return String(error)
      }
    }, code)
    if (wrong !== undefined) throw new Error(`in the browser: ${wrong}`)
  } finally {
    await page.close()
  }
}
