// Play: any domain on any device, the film in the command's words, broken on purpose, vendors side by side.
import { backends } from '@iommu/driver-intel-vtd/backends'
import { createStage, renderFilm } from '@iommu/film'
import type { Page } from 'playwright-core'
import { expect, test } from 'vitest'
import { iommu } from '../../cli/test/command.js'
import { describeOnChromium, violations } from './on-chromium.js'

const squeezed = (text: string): string => text.replace(/\s+/g, ' ').trim()

/** Texts of what a selector finds, without the signs that stand beside words. */
const wordsOf = (page: Page, selector: string): Promise<string[]> => page.$$eval(selector, (all) => all.map((each) => {
  const copy = each.cloneNode(true) as Element
  for (const sign of copy.querySelectorAll('[aria-hidden]')) sign.remove()
  for (const field of copy.querySelectorAll('.field')) field.prepend(' ')
  return (copy.textContent ?? '').replace(/\s+/g, ' ').trim()
}))

const here = async (page: Page): Promise<void> => { await page.waitForSelector('.film .strip') }

/** Presses a state of a point of the board, and waits for its film. */
const put = async (page: Page, point: string, state: string): Promise<void> => {
  await page.click(`.board [aria-label^="${point}:"] .chip:text-is("${state}")`)
  await page.waitForSelector(`.board [aria-label="${point}: ${state}"]`)
}

describeOnChromium('play', (explorer) => {
  test('a first visitor sees a domain replaced: what changed, step by step, and that it held', async () => {
    const page = await explorer.open('#play')
    await here(page)
    expect(await page.textContent('.film h2')).toBe('00:04.0: first-stage-4 replaced by identity')
    const stage = createStage(backends[0] as (typeof backends)[number], { devices: [0x20, 0x28], pasids: [1, 2], ats: false })
    const [rid] = stage.scene.points
    await stage.set(rid as NonNullable<typeof rid>, 'paging')
    const printed = squeezed(renderFilm(await stage.set(rid as NonNullable<typeof rid>, 'identity')).join(' '))
    for (const words of await wordsOf(page, '.film .step .what, .film .verdict p, .film .step .met')) expect(printed).toContain(words)
    await page.waitForSelector('.net p')
    expect(squeezed(await page.textContent('.net') ?? '')).toContain('PGTT first stage → pass-through')
    await page.context().close()
  })

  test('side by side: each in the words of iommu play', async () => {
    const page = await explorer.open('#play')
    await here(page)
    await page.click('.beside .chip:text-is("all four")')
    for (const [title, driver] of [['Intel VT-d', 'driver-intel-vtd'], ['AMD-Vi', 'driver-amd-vi'], ['Arm SMMUv3', 'driver-arm-smmuv3'], ['RISC-V IOMMU', 'driver-riscv']]) {
      const column = `.columns article:has(h3:text-is("${title}"))`
      await page.waitForSelector(`${column} .strip`)
      const { stdout } = await iommu(['play', driver as string, '--from', 'paging', '--to', 'identity'], '', { columns: 10_000 })
      const words = await wordsOf(page, `${column} .what, ${column} .met, ${column} > p:not(.aside)`)
      expect(words.length).toBeGreaterThan(8)
      for (const each of words) expect(squeezed(stdout)).toContain(each)
    }
    await page.context().close()
  })

  test('any domain on any point, in any order; the link plays it again', async () => {
    const page = await explorer.open('#play')
    await here(page)
    await put(page, '00:05.0 PASID 1', 'first-stage-4')
    expect(await page.textContent('.film h2')).toBe('00:05.0 PASID 1: first-stage-4 is set')
    await put(page, '00:05.0', 'second-stage-4')
    await put(page, '00:05.0 PASID 1', 'sva')
    await page.waitForFunction(() => location.hash.includes('sva'))
    const again = await explorer.open(new URL(page.url()).hash)
    await here(again)
    expect(await again.textContent('.film')).toBe(await page.textContent('.film'))
    expect(await again.$$eval('[aria-pressed=true].chip', (all) => all.length)).toBe(await page.$$eval('[aria-pressed=true].chip', (all) => all.length))
    await Promise.all([page, again].map((each) => each.context().close()))
  })

  test('the slider goes through the film: the entry lights its bits, and the path turns red where it stops', async () => {
    const page = await explorer.open('#play')
    await here(page)
    await page.focus('input[type=range]')
    expect(await page.textContent('.now .node.end >> nth=0')).toContain('memory')
    await page.keyboard.press('ArrowRight')
    await page.waitForSelector('.bit.changed')
    expect(await page.$$eval('.bit.changed', (all) => all.map((each) => each.getAttribute('aria-label')))).toEqual(['bit 0, P, 0'])
    await page.waitForSelector('.dma .node.stops.lit')
    expect(await page.textContent('.stale')).toContain('stale copy a kept copy differs from memory')
    await page.keyboard.press('End')
    await page.waitForFunction(() => document.querySelector('.strip [aria-current]')?.classList.contains('end'))
    expect(await page.textContent('.now .node.end >> nth=0')).toContain('0x100000')
    await page.context().close()
  })

  test('by keyboard alone: a state of the board, and the film runs', async () => {
    const page = await explorer.open('#play')
    await here(page)
    await page.focus('.board .chip')
    await page.keyboard.press('Enter')
    await page.waitForSelector('.board [aria-label="00:04.0: blocked"]')
    expect(await page.textContent('.film h2')).toContain('replaced by blocked')
    await page.focus('.player .primary')
    await page.keyboard.press('Space')
    await page.waitForFunction(() => Number((document.querySelector('.player input') as HTMLInputElement).value) >= 2)
    await page.keyboard.press('Space')
    expect(await page.getAttribute('.player .primary', 'aria-pressed')).toBe('false')
    await page.context().close()
  })

  test('broken on purpose: the film says what is not held, and the statement that catches it fails here', async () => {
    const page = await explorer.open('#play')
    await here(page)
    await page.selectOption('.settings .choice:nth-child(3) select', 'replaced-in-place')
    await page.waitForSelector('.verdict.broken')
    expect(await page.textContent('.verdict.broken')).toContain('NOT HELD')
    await page.waitForSelector('.caught')
    expect(await page.textContent('section.broken')).toContain('a present entry is overwritten in place')
    expect(await page.textContent('section.broken')).toContain('C-ATTACH-06')
    await page.context().close()
  })

  test('every driver can be played, on its first and its last kind of hardware; every one of the seven older IOMMUs', async () => {
    const page = await explorer.open('#play')
    for (const driver of ['driver-amd-vi', 'driver-arm-smmuv3', 'driver-riscv', 'driver-legacy-nodefault', 'driver-intel-vtd']) {
      await page.selectOption('.settings .choice:nth-child(1) select', driver)
      await page.waitForFunction((name) => new URLSearchParams(location.hash.split('?')[1]).get('driver') === name, driver)
      await here(page)
      const kinds = await page.$$eval('.settings .choice:nth-child(2) option', (all) => all.map((each) => (each as HTMLOptionElement).value))
      expect(kinds.length).toBeGreaterThan(1)
      for (const kind of driver === 'driver-legacy-nodefault' ? kinds : [kinds[0], kinds.at(-1)] as string[]) {
        await page.selectOption('.settings .choice:nth-child(2) select', kind)
        await page.waitForFunction((name) => new URLSearchParams(location.hash.split('?')[1]).get('on') === name, kind)
        await page.waitForSelector('.film .strip li, .notice.wrong')
        expect(await page.$$eval('.notice.wrong', (all) => all.map(({ textContent }) => textContent)), `${driver}, ${kind}`).toEqual([])
      }
    }
    await page.context().close()
  })

  test('nothing for axe-core to say, in light and in dark', async () => {
    for (const colorScheme of ['light', 'dark'] as const) {
      const page = await explorer.open('#play?step=1&beside=driver-amd-vi&broken=replaced-in-place', { colorScheme })
      await page.waitForSelector('.columns .strip')
      await page.waitForSelector('.caught')
      expect(await violations(page)).toEqual([])
      await page.context().close()
    }
  })
})
