// Markdown to HTML: headings that can be linked to, links between files as links between pages, and every statement's id as a
// link to its page.
import { posix } from 'node:path'
import MarkdownIt from 'markdown-it'

export const escape = (text) => text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;')

/** "C-BLOCK-01", wherever it stands. */
export const STATEMENT = /\bC-[A-Z0-9]+-\d\d\b/g

/** What is for programs that write parts of a page, and for nobody who reads it. */
const COMMENT = /^<!-- .* -->\n/gm

/** A heading's anchor, as code hosts make it. */
export const slug = (text) => text.toLowerCase().replaceAll(/[^\p{L}\p{N}\s_-]/gu, '').trim().replaceAll(/\s/g, '-')

/** The way from one page to another, both counted from the site's root. */
export const between = (from, to) => posix.relative(posix.dirname(from), to)

/** Where a picture of the documentation lies in the site. */
export const pictureOf = (file) => `pictures/${file.replace(/^docs\//, '')}`

/** Text with every id of a statement that there is as a link. `page` is where it will stand. */
export const linkStatements = (html, page, statements) => html.replaceAll(STATEMENT, (id) =>
  (statements.has(id) ? `<a href="${between(page, `statements/${id}.html`)}">${id}</a>` : id))

/** The pure text of a heading. */
const textOf = ({ children }) => children.filter(({ type }) => type === 'text' || type === 'code_inline').map(({ content }) => content).join('')

/**
 * @param {string} source the file's place in the repository: links are relative to it
 * @param {string} page the page's place in the site
 * @param {{ pageOf: (file: string) => string | undefined, statements: ReadonlySet<string> }} site
 * @returns {{ html: string, title: string, headings: { level: number, text: string, id: string }[], pictures: string[] }} `pictures`: files
 * that it shows, from the repository's root. Throws where a link leads to a file that is no page.
 */
export const renderMarkdown = (text, source, page, { pageOf, statements }) => {
  const markdown = new MarkdownIt({ html: false, linkify: false })
  const headings = []
  const pictures = []
  const taken = new Map()

  const anchorOf = (title) => {
    const base = slug(title)
    const count = taken.get(base) ?? 0
    taken.set(base, count + 1)
    return count === 0 ? base : `${base}-${count}`
  }
  const resolve = (href) => {
    if (/^[a-z]+:/.test(href)) return href
    const [path, anchor] = href.split('#')
    const suffix = anchor === undefined ? '' : `#${anchor}`
    if (path === '') return suffix
    const file = posix.normalize(posix.join(posix.dirname(source), path))
    const target = pageOf(file)
    if (target === undefined) throw new Error(`${source} links to ${href}, which is no page`)
    return `${between(page, target)}${suffix}`
  }

  const show = (place) => {
    const file = posix.normalize(posix.join(posix.dirname(source), place))
    pictures.push(file)
    return between(page, pictureOf(file))
  }

  markdown.core.ruler.push('site', ({ tokens, Token }) => {
    for (const [index, token] of tokens.entries()) {
      if (token.type === 'heading_open') {
        const title = textOf(tokens[index + 1])
        const id = anchorOf(title)
        token.attrSet('id', id)
        headings.push({ level: Number(token.tag.slice(1)), text: title, id })
      }
      if (token.type !== 'inline') continue
      let links = 0
      token.children = token.children.map((child) => {
        if (child.type === 'image') child.attrSet('src', show(child.attrGet('src')))
        if (child.type === 'link_open') child.attrSet('href', resolve(child.attrGet('href')))
        links += child.nesting * Number(child.type.startsWith('link_'))
        if (links > 0 || !(child.type === 'text' || child.type === 'code_inline') || child.content.search(STATEMENT) < 0) return child
        const html = new Token('html_inline', '', 0)
        html.content = linkStatements(escape(child.content), page, statements)
        return html
      })
    }
  })
  markdown.renderer.rules.table_open = () => '<div class="wide" tabindex="0"><table>\n'
  markdown.renderer.rules.table_close = () => '</table></div>\n'
  markdown.renderer.rules.fence = (tokens, index) => {
    const [language = '', ...rest] = tokens[index].info.split(' ')
    const of = rest.join(' ') === 'not run' ? '' : rest.join(' ')
    const caption = /[./]/.test(of) ? `<figcaption><code>${escape(of)}</code></figcaption>` : ''
    return `<figure class="code">${caption}<pre tabindex="0" class="${escape(language)}"><code>${escape(tokens[index].content)}</code></pre></figure>\n`
  }
  const html = markdown.render(text.replaceAll(COMMENT, ''))
  return { html, headings, pictures, title: headings.find(({ level }) => level === 1)?.text ?? page }
}
