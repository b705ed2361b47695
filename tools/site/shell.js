// The frame of every page: head, navigation, content.
import { between, escape } from './markdown.js'

/**
 * @typedef {object} Page
 * @property {string} path from the site's root, "vendors/amd-vi.html"
 * @property {string} title
 * @property {string} html
 * @property {readonly { level: number, text: string, id: string }[]} [headings]
 */

const navigation = (groups, current) => groups.map(({ title, pages }) => `<section><h2>${escape(title)}</h2><ul>${pages.map(({ path, label }) =>
  `<li><a href="${between(current, path)}"${path === current ? ' aria-current="page"' : ''}>${escape(label)}</a></li>`).join('')}</ul></section>`).join('\n')

const contents = (headings) => {
  const parts = headings.filter(({ level }) => level === 2)
  if (parts.length < 3) return ''
  return `<nav class="contents" aria-label="On this page"><ul>${parts.map(({ text, id }) => `<li><a href="#${id}">${escape(text)}</a></li>`).join('')}</ul></nav>`
}

/** A whole page. @param {Page} page */
export const frame = ({ path, title, html, headings = [] }, groups) => {
  const [first, ...rest] = html.split('</h1>')
  const body = rest.length === 0 ? html : `${first}</h1>${contents(headings)}${rest.join('</h1>')}`
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${escape(title)}${path === 'index.html' ? '' : ' · iommu'}</title>
<link rel="stylesheet" href="${between(path, 'style.css')}">
</head>
<body>
<a class="skip" href="#content">Skip to the content</a>
<header><a class="home" href="${between(path, 'index.html')}">iommu</a> <span>what an IOMMU driver must do</span></header>
<details class="menu"><summary>All pages</summary><nav aria-label="Pages">
${navigation(groups, path)}
</nav></details>
<main id="content">
${body}
</main>
</body>
</html>
`
}
