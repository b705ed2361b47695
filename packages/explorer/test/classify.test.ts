// Classify: the thread's table in the command's words, and a verdict replayed.
import { expect, test } from 'vitest'
import { iommu } from '../../cli/test/command.js'
import { describeOnChromium, violations } from './on-chromium.js'

const squeezed = (text: string): string => text.replace(/\s+/g, ' ').trim()
const said = async (...args: string[]): Promise<string> => squeezed((await iommu(args, '', { columns: 10_000 })).stdout)

describeOnChromium('classify', (explorer) => {
  test('every driver, as the command prints it', async () => {
    const page = await explorer.open('#classify')
    await page.waitForSelector('text=Of the thread')
    const printed = await said('classify')
    const rows = await page.$$eval('.verdicts tbody tr:not(.list)', (all) => all.map((row) => {
      for (const sign of row.querySelectorAll('[aria-hidden]')) sign.remove()
      return [...row.children].map(({ textContent }) => textContent).join(' ')
    }))
    expect(rows).toHaveLength(20)
    for (const row of rows) expect(printed).toContain(squeezed(row))
    expect(printed).toContain(await page.textContent('[role=status]') ?? 'nothing')
    await page.context().close()
  })

  test('one in full, by keyboard, from its link, with its verdict step by step', async () => {
    const page = await explorer.open('#classify')
    await page.waitForSelector('.verdicts button:text-is("tegra-gart")')
    await page.focus('.verdicts button:text-is("tegra-gart")')
    await page.keyboard.press('Enter')
    await page.waitForSelector('.replayed')
    const printed = await said('classify', 'tegra-gart')
    for (const line of await page.$$eval('.explained dd', (all) => all.map(({ textContent }) => textContent))) expect(printed).toContain(squeezed(line))
    await page.waitForFunction(() => location.hash.includes('tegra-gart'))
    const again = await explorer.open('#classify?driver=amd')
    await again.waitForSelector('.replayed')
    const cells = await again.$$eval('.replayed tbody tr', (all) => all.map((row) => row.children[1]?.textContent))
    expect(cells.at(0)).toMatch(/^→ 0x/)
    expect(cells.at(-1)).toBe('✗ blocked')
    await Promise.all([page, again].map((each) => each.context().close()))
  })

  test('nothing for axe-core to say, in light and in dark', async () => {
    for (const colorScheme of ['light', 'dark'] as const) {
      const page = await explorer.open('#classify?driver=intel', { colorScheme })
      await page.waitForSelector('.replayed')
      await page.waitForSelector('text=Of the thread')
      expect(await violations(page)).toEqual([])
      await page.context().close()
    }
  })
})
