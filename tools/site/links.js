// Checks a site: every link inside of it leads to a page, and every anchor to a place there.
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { dirname, join, relative } from 'node:path'

const filesIn = (folder) => readdirSync(folder, { withFileTypes: true, recursive: true })
  .filter((each) => each.isFile() && each.name.endsWith('.html')).map((each) => join(each.parentPath ?? each.path, each.name))

const idsOf = (html) => [...html.matchAll(/\sid="([^"]*)"/g)].map(([, id]) => id)

/** Sentences about what is wrong; empty where nothing is. `own`: pages whose ids are checked to be unique, by path. */
export const brokenLinks = (site, own = () => true) => {
  const files = filesIn(site)
  const texts = new Map(files.map((file) => [file, readFileSync(file, 'utf8')]))
  const ids = new Map([...texts].map(([file, text]) => [file, new Set(idsOf(text))]))
  return [...texts].filter(([file]) => own(relative(site, file))).flatMap(([file, text]) => {
    const here = relative(site, file)
    const twice = idsOf(text).filter((id, index, all) => all.indexOf(id) !== index).map((id) => `${here}: the id "${id}" stands there twice`)
    const broken = [...text.matchAll(/\s(?:href|src)="([^"]*)"/g)].flatMap(([, link]) => {
      if (/^[a-z]+:/.test(link)) return []
      const [path, anchor] = link.split('#')
      const target = path === '' ? file : join(dirname(file), path)
      if (!existsSync(target)) return [`${here}: ${link} leads nowhere`]
      if (anchor !== undefined && !ids.get(target)?.has(decodeURIComponent(anchor))) return [`${here}: ${link} names no place`]
      return []
    })
    return [...twice, ...broken]
  })
}
