// The packages that are published: what each needs of the others, and its tarball.
import { execFileSync } from 'node:child_process'
import { readdirSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'

/**
 * @typedef {object} Published
 * @property {string} name "@iommu/bits"
 * @property {string} folder
 * @property {string} version
 * @property {Record<string, object | string>} exports as in package.json
 * @property {readonly string[]} entries export paths that are code: ".", "./tables"
 * @property {readonly string[]} needs packages of ours that it needs at run time
 */

const ours = (names = {}) => Object.keys(names).filter((each) => each.startsWith('@iommu/'))

/** Every package under packages/ that is not private. Throws where one needs a package that is not ours. */
export const publishedPackages = (root) => readdirSync(join(root, 'packages')).flatMap((each) => {
  const folder = join(root, 'packages', each)
  const { name, version, private: hidden, exports = {}, dependencies = {}, peerDependencies = {} } =
    JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'))
  if (hidden === true) return []
  const entries = Object.entries(exports).filter(([, target]) => typeof target === 'object').map(([path]) => path)
  return [{ name, folder, version, exports, entries, needs: ours({ ...dependencies, ...peerDependencies }) }]
})

/** Packages and everything of ours that they need. Throws for a name that is not published. */
export const withNeeds = (all, ...names) => [...new Set(names.flatMap((name) => needsOf(all, name)))]

const needsOf = (all, name) => {
  const found = all.find((each) => each.name === name)
  if (found === undefined) throw new Error(`${name} is needed and not published`)
  return [...found.needs.flatMap((need) => needsOf(all, need)), name]
}

/** Packs one as npm would publish it. Throws what npm says where it fails. */
export const pack = ({ folder }, destination) => {
  const [{ filename, size, files }] = JSON.parse(execFileSync('npm', ['pack', '--json', '--pack-destination', destination], {
    cwd: folder, encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'],
  }))
  const file = join(destination, filename.replace('@', '').replace('/', '-'))
  statSync(file)
  return { file, size, files: files.map(({ path }) => path) }
}
