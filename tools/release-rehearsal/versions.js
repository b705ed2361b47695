// What a change of the contract moves: `changeset version` on a copy, for a patch, a minor and a major of core.
import { cpSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { publishedPackages } from './packages.js'
import { run } from './project.js'

const versionsIn = (root) => new Map(publishedPackages(root).map(({ name, version }) => [name, version]))

/** Packages that move when `name` does by `kind`, each with "1.0.0 -> 1.0.1". Throws what changesets says where it fails. */
export const movedBy = async (root, name, kind) => {
  const copy = mkdtempSync(join(tmpdir(), 'iommu-versions-'))
  try {
    for (const file of ['package.json', '.changeset/config.json', 'tools/release-rehearsal/changelog.js', 'tools/release-rehearsal/package.json']) cpSync(join(root, file), join(copy, file))
    for (const { folder } of publishedPackages(root)) {
      const target = join(copy, folder.slice(root.length))
      mkdirSync(target, { recursive: true })
      cpSync(join(folder, 'package.json'), join(target, 'package.json'))
    }
    symlinkSync(join(root, 'node_modules'), join(copy, 'node_modules'))
    writeFileSync(join(copy, '.changeset/one.md'), `---\n'${name}': ${kind}\n---\n\nA change.\n`)
    await run(copy, 'git', ['init', '-q'])
    const before = versionsIn(copy)
    const { ok, text } = await run(copy, process.execPath, [join(root, 'node_modules/@changesets/cli/bin.js'), 'version'])
    if (!ok) throw new Error(text)
    const after = versionsIn(copy)
    return Object.fromEntries([...after].flatMap(([each, version]) => (before.get(each) === version ? [] : [[each, `${before.get(each)} -> ${version}`]])))
  } finally {
    rmSync(copy, { recursive: true, force: true })
  }
}

/** What should move: a patch or a minor stays within what others ask for; a major takes all along that need it. */
export const expectedToMove = (root, name, kind) => {
  const moved = new Set([name])
  if (kind !== 'major') return moved
  const all = publishedPackages(root)
  for (let size = 0; size < moved.size;) {
    size = moved.size
    for (const each of all) if (each.needs.some((need) => moved.has(need))) moved.add(each.name)
  }
  return moved
}
