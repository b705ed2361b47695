// Writes the site: every page in its frame, the style, pictures, and the explorer as it was built.
import { cpSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { pictureOf } from './markdown.js'
import { collectPages, EXPLORER } from './pages.js'
import { frame } from './shell.js'

/** Writes everything into a folder, which is emptied before. The number of pages. Throws where documentation links to what is no page. */
export const writeSite = async (root, out, explorer) => {
  const { pages, groups, pictures } = await collectPages(root)
  rmSync(out, { recursive: true, force: true })
  for (const page of pages) {
    const file = join(out, page.path)
    mkdirSync(dirname(file), { recursive: true })
    writeFileSync(file, frame(page, groups))
  }
  for (const file of pictures) cpSync(join(root, file), join(out, pictureOf(file)))
  writeFileSync(join(out, 'style.css'), readFileSync(new URL('style.css', import.meta.url)))
  cpSync(explorer, join(out, dirname(EXPLORER)), { recursive: true })
  return pages.length
}

/** Whether a page is ours to check: the explorer's links are its own. */
export const isOurs = (path) => path !== EXPLORER
