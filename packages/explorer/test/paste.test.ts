// Paste anything: recognised, in the command's words, flipped by mouse and by keyboard, and kept in the link.
import { expect, test } from 'vitest'
import { iommu } from '../../cli/test/command.js'
import { describeOnChromium, violations } from './on-chromium.js'

const squeezed = (text: string): string => text.replace(/\s+/g, ' ').trim()

/** What the command prints, with nothing broken at 80 columns. */
const said = async (...args: string[]): Promise<string> => squeezed((await iommu(args, '', { columns: 10_000 })).stdout)

const fragment = (params: Record<string, string>): string => `#paste?${new URLSearchParams(params).toString()}`

const LINES = [
  '[6611.206544] DMAR: [DMA Read NO_PASID] Request device [03:00.0] fault addr 0x100000 [fault reason 0x71]',
  'AMD-Vi: Event logged [IO_PAGE_FAULT domain=0x000d address=0xcff49550 flags=0x0070]',
  'event 0x10 received: 0x0000000100000010 0x0000020000000000 0x00000000ffffe040 0x00000000ffffe040',
  'smmuv3.ste.Config',
  'vtd:0x59',
  'F_TRANSLATION',
]

const ENTRIES = [
  { words: '0x0:0x800002:0x1038a5089', entry: 'vtd.pasid' },
  { words: '0000:00:01.0 0000000000000000 20000001373b8013 0000000000000038 6000000114d7b603 iommu0', entry: 'amd.dte' },
  { words: '0x4857001 0x502', entry: 'vtd.context' },
]

describeOnChromium('paste anything', (explorer) => {
  test.each(LINES)('says of "%s" what the command says', async (line) => {
    const page = await explorer.open()
    await page.fill('textarea', line)
    await page.waitForSelector('.explained article')
    const rows = await page.$$eval('.explained h3, .explained .row', (all) =>
      all.map((each) => [...(each.tagName === 'H3' ? [each] : each.children)].map((part) => part.textContent).join('  ')))
    expect(squeezed(rows.join(' '))).toBe(await said('explain', line))
    await page.context().close()
  })

  test.each(ENTRIES)('$entry is recognised and decoded as by the command', async ({ words, entry }) => {
    const page = await explorer.open()
    await page.fill('textarea', words)
    await page.waitForSelector('.fields tbody tr')
    expect(await page.inputValue('.read-as select')).toBe(entry)
    const rows = await page.$$eval('.fields tbody tr', (all) =>
      all.map((row) => [...row.children].slice(0, 4).map((cell) => cell.textContent).join(' ')))
    const printed = await said('decode', entry, words)
    for (const row of rows) expect(printed).toContain(squeezed(row))
    expect(printed).toContain(squeezed(await page.textContent('.reserved') ?? ''))
    await page.context().close()
  })

  test('what it does not know is told in a sentence of a page, which has no arguments', async () => {
    const page = await explorer.open(fragment({ text: 'hello' }))
    await page.waitForSelector('.notice.wrong')
    expect(await page.innerText('.notice.wrong')).toMatch(/^!?\s*what to explain: expected a fault line, .* found "hello"$/)
    await page.context().close()
  })

  test('a megabyte of words is answered at once, and so is one of letters', async () => {
    const page = await explorer.open()
    await page.waitForSelector('.welcome')
    for (const [text, told] of [['0x1 '.repeat(250_000), 'the words, word 9: expected at most 8 words, of one entry, found 250000 words'], ['a'.repeat(1_000_000), 'what to explain: expected a fault line']] as const) {
      const took = await page.evaluate(({ pasted, awaited }) => new Promise<number>((done) => {
        const area = document.querySelector('textarea') as HTMLTextAreaElement
        const begun = performance.now()
        new MutationObserver((_, observer) => {
          if (document.querySelector('.notice.wrong')?.textContent?.includes(awaited) !== true) return
          observer.disconnect()
          done(performance.now() - begun)
        }).observe(document.body, { subtree: true, childList: true, characterData: true })
        area.value = pasted
        area.dispatchEvent(new InputEvent('input', { bubbles: true }))
      }), { pasted: text, awaited: told })
      expect(took, told).toBeLessThan(5000)
    }
    await page.context().close()
  })

  test('numbers that may be decimal are read as hexadecimal, and this is said', async () => {
    const page = await explorer.open(fragment({ text: '137 5' }))
    await page.waitForSelector('.read-as')
    expect(await page.innerText('.read-as')).toContain('read as hexadecimal')
    expect(await page.innerText('.word .head code >> nth=0')).toBe('0x0000000000000137')
    await page.fill('textarea', '0x137 0x5')
    await page.waitForFunction(() => document.querySelector('.read-as')?.textContent?.includes('hexadecimal') === false)
    await page.context().close()
  })

  test('a dump that was cut before its tables is told so', async () => {
    const page = await explorer.open(fragment({ text: 'IOVA_PFN         \tPML5E             \tPML4E' }))
    await page.waitForSelector('.notice.wrong')
    expect(await page.innerText('.notice.wrong')).toMatch(/the units: expected a table of dmar_translation_struct, found none$/)
    await page.context().close()
  })

  test('markup is text: nothing of it becomes part of the page', async () => {
    const page = await explorer.open(fragment({ text: `${LINES[0]} <img src=x onerror=alert(1)><b id="planted">` }))
    await page.waitForSelector('.explained article')
    expect(await page.innerText('.explained h3')).toContain('<img src=x onerror=alert(1)>')
    expect(await page.$$('main img, #planted')).toEqual([])
    await page.context().close()
  })

  test('a line stands there as it was pasted, with its spaces', async () => {
    const page = await explorer.open(fragment({ text: '[    0.561287] arm-smmu 15000000.iommu: Unhandled context fault: fsr=0x402' }))
    await page.waitForSelector('.explained article')
    expect(await page.innerText('.explained h3')).toBe('[    0.561287] arm-smmu 15000000.iommu: Unhandled context fault: fsr=0x402')
    await page.context().close()
  })

  test('a whole log is summed up as by the command', async () => {
    const log = `${LINES[0]}\n${LINES[0]}\n${LINES[1]}\nDMAR: IOMMU enabled`
    const page = await explorer.open()
    await page.fill('textarea', log)
    await page.waitForSelector('.explained .summary')
    const printed = squeezed((await iommu(['explain', '-'], log, { columns: 10_000 })).stdout)
    for (const line of await page.$$eval('.summary', (all) => all.map(({ textContent }) => textContent))) expect(printed).toContain(squeezed(line))
    expect(await page.textContent('.explained')).toContain('(2 times)')
    await page.context().close()
  })

  test('what is neither is refused in the command\'s sentence', async () => {
    const page = await explorer.open()
    await page.fill('textarea', 'the quick brown fox')
    const told = await page.textContent('.notice.wrong')
    const { stderr } = await iommu(['explain', 'the quick brown fox'])
    expect(stderr).toContain((told ?? '').replace(/^!/, ''))
    await page.context().close()
  })

  test('a click flips a bit, the link holds it, and a reserved bit is shouted at', async () => {
    const page = await explorer.open(fragment({ text: '0x89 0x5', as: 'vtd.pasid' }))
    await page.click('[data-bit="0"]')
    expect(await page.inputValue('textarea')).toBe('0x88 0x5')
    await page.hover('[data-bit="7"]')
    expect(await page.textContent('.looked')).toContain('PGTT 8:6')
    await page.click('[data-bit="11"]')
    expect(await page.textContent('[role=alert].reserved')).toContain('must be zero')
    await page.waitForFunction(() => location.hash.includes('0x888'))
    const again = await explorer.open(new URL(page.url()).hash)
    await again.waitForSelector('.reserved.shout')
    expect(await again.inputValue('textarea')).toBe('0x888 0x5')
    expect(await again.inputValue('.read-as select')).toBe('vtd.pasid')
    await Promise.all([page, again].map((each) => each.context().close()))
  })

  test('by keyboard alone: tab to the bits, arrows, space', async () => {
    const page = await explorer.open(fragment({ text: '0x89 0x5', as: 'vtd.pasid' }))
    await page.waitForSelector('.bit')
    await page.focus('textarea')
    for (let step = 0; step < 20 && await page.evaluate(() => document.activeElement?.classList.contains('bit')) !== true; step++) await page.keyboard.press('Tab')
    expect(await page.evaluate(() => document.activeElement?.getAttribute('data-bit'))).toBe('0')
    await page.keyboard.press('ArrowLeft')
    await page.keyboard.press('ArrowLeft')
    await page.keyboard.press('Space')
    expect(await page.inputValue('textarea')).toBe('0x8d 0x5')
    expect(await page.evaluate(() => document.activeElement?.getAttribute('data-bit'))).toBe('2')
    await page.keyboard.press('ArrowDown')
    expect(await page.textContent('.looked')).toContain('bit 66')
    await page.context().close()
  })

  test('from a field to the bits of its entry', async () => {
    const page = await explorer.open(fragment({ text: 'smmuv3.ste.Config' }))
    await page.click('text=show its bits')
    await page.waitForSelector('.entry .bit')
    expect(await page.inputValue('.read-as select')).toBe('smmuv3.ste')
    await page.click('[data-bit="0"]')
    await page.waitForSelector('[data-bit="0"].one')
    expect(await page.inputValue('textarea')).toBe('0x1')
    await page.context().close()
  })

  test('another version of the entry is compared in the command\'s words', async () => {
    const [one, other] = ['0x4857001 0x502', '0x9 0x102'] as const
    const page = await explorer.open(fragment({ text: one, as: 'vtd.context', with: other }))
    await page.waitForSelector('.planned .steps')
    const printed = await said('diff', 'vtd.context', one, other)
    const shown = await page.$$eval('.planned p, .planned li', (all) => all.map(({ textContent }) => textContent))
    for (const line of shown) if (line !== 'wait for all of it') expect(printed).toContain(squeezed(line).replace(' → ', ' -> '))
    await page.context().close()
  })

  test('nothing for axe-core to say, in light and in dark', async () => {
    for (const colorScheme of ['light', 'dark'] as const) {
      for (const params of [{ text: '0x888 0x5', as: 'vtd.pasid' }, { text: LINES[0] as string }]) {
        const page = await explorer.open(fragment(params), { colorScheme })
        await page.waitForSelector('.entry, .explained')
        expect(await violations(page)).toEqual([])
        await page.context().close()
      }
    }
  })
})
