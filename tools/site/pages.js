// All pages: each file of documentation, and what is generated beside it.
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join, posix } from 'node:path'
import { allStatements } from '@iommu/conformance'
import { filmCase } from '@iommu/film'
import { allBreakers, complaint, createCinema } from './breakers.js'
import { readCases } from './cases.js'
import { readFixes } from './fixes.js'
import { renderMarkdown, STATEMENT } from './markdown.js'
import { statementIndex, statementPage } from './statement-page.js'
import { vendorParts } from './vendor-page.js'
import { loadVendors } from './vendors.js'

/** Where the explorer lies in the site, and its page. */
export const EXPLORER = 'explorer/index.html'

/** The order of the navigation: files of documentation by title, pages by path. What is named by nobody is put under "More". */
const GROUPS = [
  ['Begin', ['README.md', 'docs/five-minutes.md', EXPLORER, 'docs/what-this-is-not.md']],
  ['The contract', ['docs/contract.md', 'statements/index.html', 'docs/conformance-statements.md', 'docs/findings/README.md', 'docs/adversary.md']],
  ['Vendors', ['docs/vendors']],
  ['Use it', ['docs/sources.md', 'docs/write-a-driver.md', 'docs/vectors.md', 'docs/qemu.md', 'docs/performance.md']],
  ['The story', ['docs/the-thread.md', 'docs/which-detach.md']],
  ['Packages', ['packages']],
]

const markdownIn = (root, folder) => (existsSync(join(root, folder)) ? readdirSync(join(root, folder)) : [])
  .filter((each) => each.endsWith('.md')).sort().map((each) => `${folder}/${each}`)

/** Every file that becomes a page, with the page: README.md is the first, a folder's README.md its index. */
export const documents = (root) => new Map([
  ['README.md', 'index.html'],
  ...['CONTRIBUTING.md', 'UPGRADING.md', 'SECURITY.md'].filter((each) => existsSync(join(root, each))).map((each) => [each, `${each.slice(0, -3).toLowerCase()}.html`]),
  ...['docs', 'docs/vendors', 'docs/findings'].flatMap((folder) => markdownIn(root, folder))
    .map((file) => [file, file.slice('docs/'.length).replace(/README\.md$/, 'index.md').replace(/md$/, 'html')]),
  ...readdirSync(join(root, 'packages')).filter((each) => existsSync(join(root, 'packages', each, 'README.md')))
    .map((each) => [`packages/${each}/README.md`, `packages/${each}.html`]),
])

/** Where a sentence of the contract names statements: id -> sentences. A sentence is an item of a list. */
export const sentences = (text) => {
  const told = new Map()
  for (const [, item] of text.matchAll(/^- ([\s\S]*?)(?=^- |^$|^#|(?![\s\S]))/gm)) {
    const plain = item.replaceAll(/\s*\((?:C-[A-Z0-9]+-\d\d(?:,\s*)?)+\)/g, '').replaceAll(/[`*]/g, '').replaceAll(/\s+/g, ' ').trim()
    for (const [id] of item.matchAll(STATEMENT)) told.set(id, [...told.get(id) ?? [], plain])
  }
  return told
}

/** Pages that name a statement; the contract with its sentence. */
const tellers = (root, pages, rendered) => {
  const contract = sentences(readFileSync(join(root, 'docs/contract.md'), 'utf8'))
  return (id) => [...pages].flatMap(([file, page]) => {
    const title = rendered.get(file).title
    if (file === 'docs/contract.md') return (contract.get(id) ?? []).map((text) => ({ page, title, text }))
    return readFileSync(join(root, file), 'utf8').includes(id) ? [{ page, title }] : []
  })
}

/** How many mutants are tried for a film of a statement. */
const TRIED = 4

/** The film of the mutant that is most about the statement, or of one of the next. */
const filmOfOne = async (mutants, id, show) => {
  for (const mutant of mutants.toSorted((a, b) => a.breaks.indexOf(id) - b.breaks.indexOf(id)).slice(0, TRIED)) {
    const shown = await show(mutant, id)
    if (shown !== undefined) return { mutant, shown }
  }
  return undefined
}

const statementPages = async (root, vendors, statements, told) => {
  const cases = readCases(root)
  const fixes = await readFixes(root)
  const breakers = allBreakers(vendors)
  const show = createCinema()
  const pages = []
  for (const statement of allStatements) {
    const own = breakers.filter(({ breaks }) => breaks.includes(statement.id))
    const said = complaint(statement, own, vendors)
    const change = await filmOfOne(own.filter(({ vendor }) => vendor !== undefined), statement.id, show)
    const film = { change, scenes: change === undefined && said !== undefined ? await filmCase(statement, said.wrong, said.right) : undefined }
    const written = cases.get(statement.id)
    if (written === undefined) throw new Error(`${statement.id}: its case is not found in the sources`)
    const page = {
      statement, breakers: own, said, film, fix: fixes[statement.id], written, told: told(statement.id),
    }
    pages.push(statementPage(page, vendors, statements))
  }
  return pages
}

/** Pages of a group, in the order in which it names them. */
const members = (named, pages, titles) => named.flatMap((each) => {
  const exact = pages.get(each) ?? (titles.has(each) ? each : undefined)
  const found = exact === undefined ? [...pages].filter(([file]) => file.startsWith(`${each}/`)).map(([, page]) => page) : [exact]
  return found.map((path) => ({ path, label: titles.get(path) }))
})

/** What its folder's first page lists, and the navigation need not. */
const isListed = (file) => file.startsWith('docs/findings/') && file !== 'docs/findings/README.md'

/** The navigation, every other page of documentation in it once. */
const navigationOf = (pages, titles) => {
  const groups = GROUPS.map(([title, named]) => ({ title, pages: members(named, pages, titles) }))
  const listed = new Set(groups.flatMap((group) => group.pages.map(({ path }) => path)))
  const rest = [...pages].filter(([file, path]) => !listed.has(path) && !isListed(file))
  const more = rest.map(([, path]) => ({ path, label: titles.get(path) }))
  return [...groups, { title: 'More', pages: more }]
}

/** What a page is called in the navigation: a package by its name, and everything else by its title. */
const labels = (pages, rendered) => new Map([
  ...[...pages].map(([file, path]) => [path, path === 'index.html' ? 'What this is' : rendered.get(file).title.replace(/^@iommu\//, '')]),
  ['statements/index.html', 'Statements'],
  [EXPLORER, 'Explorer'],
])

/** Every page of the site, its navigation, and the pictures that pages show. Throws where documentation links to what is no page. */
export const collectPages = async (root) => {
  const pages = documents(root)
  const statements = new Set(allStatements.map(({ id }) => id))
  const pageOf = (file) => pages.get(file) ?? pages.get(posix.join(file, 'README.md'))
  const vendors = await loadVendors()
  const rendered = new Map([...pages].map(([file, page]) =>
    [file, renderMarkdown(readFileSync(join(root, file), 'utf8'), file, page, { pageOf, statements })]))
  for (const vendor of vendors) {
    const own = rendered.get(`docs/vendors/${vendor.id}.md`)
    if (own === undefined) throw new Error(`docs/vendors/${vendor.id}.md is not there: every vendor has its page`)
    const { html, headings } = vendorParts(vendor)
    own.html += html
    own.headings.push(...headings)
  }
  return {
    groups: navigationOf(pages, labels(pages, rendered)),
    pictures: new Set([...rendered.values()].flatMap(({ pictures }) => pictures)),
    pages: [
      ...[...pages].map(([file, path]) => ({ path, ...rendered.get(file) })),
      statementIndex(allStatements),
      ...await statementPages(root, vendors, statements, tellers(root, pages, rendered)),
    ],
  }
}
