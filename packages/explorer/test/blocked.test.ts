// Why blocked: capture folders by drop, by picker and by link; devices and walks in the command's words.
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gunzipSync } from 'node:zlib'
import type { Page } from 'playwright-core'
import { expect, test } from 'vitest'
import { capture, iommu } from '../../cli/test/command.js'
import { describeOnChromium, violations } from './on-chromium.js'

const squeezed = (text: string): string => text.replace(/\s+/g, ' ').trim()
const said = async (...args: string[]): Promise<string> => squeezed((await iommu(args, '', { columns: 10_000 })).stdout)

const FILES = ['meta.json', 'registers.json', 'tables.json', 'tables.bin']

/** Drops a folder or a file of the disk on the page, as a hand would. */
const dropOn = async (page: Page, path: string): Promise<void> => {
  const session = await page.context().newCDPSession(page)
  const box = await page.locator('.drop').boundingBox()
  const [x, y] = [(box?.x ?? 0) + 60, (box?.y ?? 0) + 30]
  const data = { items: [], files: [path], dragOperationsMask: 1 }
  for (const type of ['dragEnter', 'dragOver', 'drop'] as const) await session.send('Input.dispatchDragEvent', { type, x, y, data })
}

/** All that is said of devices, as one text without the marks. */
const devicesSaid = (page: Page): Promise<string> => page.$$eval('[aria-label=devices] h2, .device, .caution, .waiting', (all) =>
  all.map((each) => [...(each.children.length > 0 ? each.childNodes : [each])].map(({ textContent }) => textContent).join(' ')).join(' '))

const unmarked = (text: string): string => squeezed(text.replace(/(?:→|=|✗|!) (translated|identity|blocked|invalid)/g, '$1'))

describeOnChromium('why blocked', (explorer) => {
  test.each(['intel-7.3.4-legacy-mixed-identity', 'amd-7.3.4-v1-edu-faulted-pending', 'arm-7.3.4-stage1-edu-faulted-pending'])(
    'the folder %s is dropped: its devices are told as by the command', async (name) => {
      const page = await explorer.open('#blocked')
      await page.waitForSelector('.drop')
      await dropOn(page, capture(name))
      await page.waitForSelector('.device')
      expect(unmarked(await devicesSaid(page))).toBe(await said('inspect', capture(name)))
      await page.context().close()
    })

  test.each([
    ['intel-7.3.4-scalable-firststage-edu-vfio', '00:04.0', '0x102008', 'read'],
    ['amd-7.3.4-v1-edu-faulted-pending', '0000:00:04.0', '0x200000', 'write'],
    ['arm-7.3.4-stage1-edu-faulted-pending', '0x20', 'dead000', 'read'],
  ])('%s is chosen, and %s at %s walked as by the command', async (name, rid, iova, access) => {
    const page = await explorer.open('#blocked')
    await page.setInputFiles('[aria-label="capture files"]', FILES.map((each) => join(capture(name), each)))
    await page.waitForSelector('.question')
    await page.fill('.question label:nth-child(1) input', rid)
    await page.fill('.question label:nth-child(3) input', iova)
    await page.selectOption('.question select', access)
    const printed = await said('walk', capture(name), '--rid', rid, '--iova', iova, ...(access === 'write' ? ['--write'] : []))
    await page.waitForFunction((title) => document.querySelector('.walk h3')?.textContent === title, printed.slice(0, printed.search(/(?<=of 0x\w+) /)))
    const steps = await page.$$eval('.walk h3, .told, .words code', (all) => all.map(({ textContent }) => textContent))
    const end = (await page.textContent('.path .end') ?? '').replace(/^[→✗]/, '')
    expect(squeezed([...steps, end].join(' '))).toBe(printed)
    await page.context().close()
  })

  test('the link holds the tables and the question', async () => {
    const name = 'intel-7.3.4-scalable-edu-blocked-dma'
    const page = await explorer.open('#blocked')
    await page.setInputFiles('[aria-label="capture folder"]', capture(name))
    await page.waitForSelector('.device')
    await page.click('.device:has-text("00:04.0")')
    await page.waitForSelector('.path .end.stops')
    const told = await page.textContent('.walk')
    await page.waitForFunction(() => location.hash.includes('tables=') && location.hash.includes('rid='))
    const again = await explorer.open(new URL(page.url()).hash)
    await again.waitForSelector('.path .end.stops')
    expect(await again.textContent('.walk')).toBe(told)
    expect(new URL(page.url()).hash.length).toBeLessThan(20_000)
    await Promise.all([page, again].map((each) => each.context().close()))
  })

  test('by keyboard alone: an example, a device, the bits of an entry', async () => {
    const page = await explorer.open('#blocked')
    await page.waitForSelector('.chip')
    await page.focus('.chip')
    await page.keyboard.press('Enter')
    await page.waitForSelector('.device')
    await page.focus('.device')
    await page.keyboard.press('Tab')
    await page.keyboard.press('Space')
    expect(await page.getAttribute('.device >> nth=1', 'aria-pressed')).toBe('true')
    await page.focus('.path .words button')
    await page.keyboard.press('Enter')
    await page.waitForSelector('.path .entry .bit')
    await page.context().close()
  })

  test('debugfs text is recognised where it is pasted, and answers as the folder does', async () => {
    const name = 'intel-7.3.4dbg-legacy-edu-vfio'
    const truth = gunzipSync(readFileSync(join(capture(name), 'truth.txt.gz'))).toString('utf8')
    const text = truth.split(/^### /m).filter((section) => section.startsWith('/sys/kernel/debug/iommu/intel/')).join('### ')
    const page = await explorer.open('#paste')
    await page.waitForSelector('textarea')
    // As a paste does it: a browser that is made to type takes seconds for so much.
    await page.$eval('textarea', (area, pasted) => {
      (area as HTMLTextAreaElement).value = pasted
      area.dispatchEvent(new InputEvent('input', { bubbles: true }))
    }, text)
    await page.waitForSelector('.question')
    expect(await page.textContent('main')).toContain('too much for a link')
    await page.fill('.question label:nth-child(1) input', '00:04.0')
    await page.fill('.question label:nth-child(3) input', '0x102008')
    await page.waitForSelector('.path .end:not(.stops)')
    const printed = await said('walk', capture(name), '--rid', '00:04.0', '--iova', '0x102008')
    expect(printed).toContain(squeezed((await page.textContent('.path .end') ?? '').replace('→', '')))
    await page.context().close()
  })

  test('where a page lacks, the walk ends in a question and not in a stop, as by the command', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'lacking-'))
    cpSync(capture('arm-7.3.4-stage1-edu-faulted-pending'), folder, { recursive: true })
    const tables = JSON.parse(readFileSync(join(folder, 'tables.json'), 'utf8')) as { pages: Record<string, number> }
    // The table of level 2 on the way of 0xdead000.
    delete tables.pages['0x465a5000']
    writeFileSync(join(folder, 'tables.json'), JSON.stringify(tables))
    const page = await explorer.open('#blocked')
    await page.setInputFiles('[aria-label="capture files"]', FILES.map((each) => join(folder, each)))
    await page.waitForSelector('.question')
    await page.fill('.question label:nth-child(1) input', '0000:00:04.0')
    await page.fill('.question label:nth-child(3) input', '0xdead000')
    await page.waitForSelector('.walk.unknown .end')
    expect(await page.innerText('.path .end .sign')).toBe('?')
    const end = squeezed((await page.textContent('.path .end') ?? '').replace(/^\?/, ''))
    expect(end).toBe('unknown: 0x465a5000 is missing from the source, and beyond it nothing is known')
    expect(squeezed((await iommu(['walk', folder, '--rid', '0000:00:04.0', '--iova', '0xdead000'], '', { columns: 10_000 })).stdout)).toContain(end)
    // Nothing that was read stopped it, and it does not look as if.
    expect(await page.$$('.path .stops')).toEqual([])
    expect(await violations(page)).toEqual([])
    await page.context().close()
    rmSync(folder, { recursive: true, force: true })
  })

  test('what lacks a file, and what is no capture, is said', async () => {
    const page = await explorer.open('#blocked')
    await page.setInputFiles('[aria-label="capture files"]', [join(capture('intel-7.3.4-legacy-edu-blocked'), 'meta.json')])
    expect(await page.textContent('.notice.wrong')).toContain('missing: registers.json, tables.json, tables.bin')
    await page.setInputFiles('[aria-label="capture files"]', [{ name: 'notes.txt', mimeType: 'text/plain', buffer: Buffer.from('nothing of that kind') }])
    await page.waitForFunction(() => document.querySelector('.notice.wrong')?.textContent?.includes('debugfs text') === true)
    await page.context().close()
  })

  test('nothing for axe-core to say, in light and in dark', async () => {
    for (const colorScheme of ['light', 'dark'] as const) {
      const page = await explorer.open('#blocked', { colorScheme })
      await page.click('.chip >> nth=1')
      await page.waitForSelector('.path .end')
      await page.click('.path .words button')
      await page.waitForSelector('.path .entry')
      expect(await violations(page)).toEqual([])
      await page.context().close()
    }
  })
})
