// The site is whole: every link and anchor leads somewhere, every statement is in the contract and has what breaks it.
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { allStatements } from '@iommu/conformance'
import AxeSource from 'axe-core'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { HOW_TO_GET } from '../../browser-setup/browsers.js'
import { openBrowser } from '../../release-rehearsal/browser.js'
import { brokenLinks } from '../links.js'
import { renderMarkdown } from '../markdown.js'
import { sentences } from '../pages.js'
import { isOurs, writeSite } from '../site.js'

const root = fileURLToPath(new URL('../../..', import.meta.url))
const ids = allStatements.map(({ id }) => id)
let folder = ''
const out = (): string => join(folder, 'site')
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'iommu-site-'))
  const explorer = join(folder, 'explorer')
  mkdirSync(explorer)
  writeFileSync(join(explorer, 'index.html'), '<!doctype html><title>in place of the explorer</title>')
  await writeSite(root, out(), explorer)
}, 300_000)
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const WITHOUT_FILM = [
  'C-DRV-01', 'C-DRV-02', 'C-DRV-03', 'C-ATTACH-07', 'C-BLOCK-03', 'C-BLOCK-08', 'C-OWN-06', 'C-PASID-16', 'C-UNMAP-05',
]

const page = (path: string): string => readFileSync(join(out(), path), 'utf8')

describe('the site', () => {
  test('has no link that leads nowhere, and no id twice', () => {
    expect(brokenLinks(out(), isOurs)).toEqual([])
  })
  test('has a page for each statement, with its case and what breaks it', () => {
    expect(readdirSync(join(out(), 'statements')).sort()).toEqual([...ids.map((id) => `${id}.html`), 'index.html'].sort())
    const bare = ids.filter((id) => {
      const text = page(`statements/${id}.html`)
      return !/\brun(?:\(|: )/.test(text) || !/What breaks it<\/h2>\n<p>.*<\/p>\n<ul><li>/.test(text)
    })
    expect(bare).toEqual([])
  })
  test('shows of each statement what the suite says when it fails', () => {
    expect(ids.filter((id) => !/class="said">[^<]{10,}<\/pre>/.test(page(`statements/${id}.html`)))).toEqual([])
    expect(ids.filter((id) => /class="said">unexpected (?:Type|Range)Error/.test(page(`statements/${id}.html`)))).toEqual([])
  })
  test('shows films of mutants beside the driver as it is', () => {
    const film = page('statements/C-ATTACH-05.html')
    expect(film).toContain('id="film"')
    expect(film).toContain('held at every step: old or new, and nothing stale at the end')
  })
  test('shows of each statement the film of a mutant, or says why there is none', () => {
    const texts = ids.map((id) => [id, page(`statements/${id}.html`).split('<h2 id="film">')[1] ?? ''] as const)
    const without = texts.filter(([, text]) => !/^[^<]*<\/h2>\n<p>[\s\S]*?<\/p>\n<pre /.test(text))
    // These are about what is declared, warned of or remembered, and not about a step.
    expect(without.map(([id]) => id)).toEqual(WITHOUT_FILM)
    expect(without.filter(([, text]) => !text.includes('There is none: ')).map(([id]) => id)).toEqual([])
  })
  test('shows of a film where the case goes another way, beside how it goes without the mutant', () => {
    const [wrong = '', right = ''] = page('statements/C-SVA-03.html').split('<h2 id="film">')[1]?.split('<h2 id="fix">') ?? []
    const line = '&gt; process 22 unmaps 0x100000'
    expect([wrong.includes(line), right.includes(line)]).toEqual([true, true])
    expect([wrong.includes('vtd.qi.pasid-iotlb'), right.includes('vtd.qi.pasid-iotlb')]).toEqual([false, true])
  })
  test('draws every entry that a vendor has', () => {
    const text = page('vendors/intel-vtd.html')
    for (const name of ['vtd.pasid', 'vtd.context', 'vtd.ss', 'vtd.qi.wait']) expect(text).toContain(`<h3 id="${name}">`)
    expect(text).toContain('id="vtd.pasid.PGTT"')
  })
  test('needs nothing from elsewhere', () => {
    const elsewhere = /<(?:script|iframe)|<img[^>]*src="[a-z]+:|<link[^>]*href="http|@import|url\(/
    expect(readdirSync(out(), { recursive: true, encoding: 'utf8' }).filter((each) =>
      each.endsWith('.html') && isOurs(each) && elsewhere.test(page(each).replaceAll(/<pre[\s\S]*?<\/pre>/g, '')))).toEqual([])
  })
})

/** One of each kind. */
const KINDS = ['index.html', 'packages/explorer.html', 'findings/index.html', 'contract.html', 'vendors/intel-vtd.html', 'statements/C-ATTACH-05.html', 'statements/index.html', 'write-a-driver.html']

test('comments of a document are not in its page', () => {
  const { html } = renderMarkdown('one\n\n<!-- bench: machine -->\ntwo\n<!-- end -->\n', 'docs/a.md', 'a.html', { pageOf: () => undefined, statements: new Set() })
  expect(html).toBe('<p>one</p>\n<p>two</p>\n')
})

test('in Chromium, on 360 pixels and in the dark too: nothing is wider than the page, and axe finds nothing', async () => {
  const browser = await openBrowser()
  if (browser === undefined) {
    const line = `the site's pages: not run in a browser, there is no Chromium: ${HOW_TO_GET}`
    process.stderr.write(`${line}\n`)
    expect(process.env['IOMMU_REQUIRE_BROWSER'] === '1', line).toBe(false)
    return
  }
  try {
    for (const colorScheme of ['light', 'dark'] as const) {
      const view = await browser.newPage({ viewport: { width: 360, height: 800 }, colorScheme })
      for (const path of KINDS) {
        await view.goto(pathToFileURL(join(out(), path)).href)
        const wider = await view.evaluate('document.documentElement.scrollWidth - innerWidth')
        expect([path, wider]).toEqual([path, 0])
        await view.addScriptTag({ content: AxeSource.source })
        const { violations } = await view.evaluate(() => (globalThis as unknown as { axe: Pick<typeof AxeSource, 'run'> }).axe.run())
        expect(violations.map(({ id, nodes }) => `${path}, ${colorScheme}: ${id}: ${nodes[0]?.html}: ${nodes[0]?.failureSummary}`)).toEqual([])
      }
    }
  } finally {
    await browser.close()
  }
}, 120_000)

describe('the contract', () => {
  const text = readFileSync(join(root, 'docs/contract.md'), 'utf8')
  test('names every statement, and no other', () => {
    expect([...sentences(text).keys()].sort()).toEqual([...ids].sort())
  })
  test('has no sentence that nothing checks', () => {
    expect([...text.matchAll(/^- .*$/gm)].map(([line]) => line).filter((line) => !/\((?:C-[A-Z0-9]+-\d\d(?:, )?)+\)$/.test(line))).toEqual([])
  })
})

describe('the checks can fail', () => {
  test('links', () => {
    const site = join(folder, 'broken')
    mkdirSync(site)
    writeFileSync(join(site, 'a.html'), '<h1 id="x">A</h1><p id="x"><a href="b.html">b</a> <a href="#y">y</a> <a href="#x">x</a> <a href="https://kernel.org">far</a>')
    expect(brokenLinks(site)).toEqual(['a.html: the id "x" stands there twice', 'a.html: b.html leads nowhere', 'a.html: #y names no place'])
  })
  test('a document that links to what is no page', () => {
    const site = { pageOf: () => undefined, statements: new Set<string>() }
    expect(() => renderMarkdown('[a](nowhere.md)', 'docs/a.md', 'a.html', site)).toThrow('docs/a.md links to nowhere.md, which is no page')
  })
})
