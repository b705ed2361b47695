// An empty project of a stranger: tarballs in it and nothing else, no registry asked.
import { spawnSync } from 'node:child_process'
import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

/** Runs a program in a folder. `ok`, and what it printed. */
export const run = (folder, program, args) => {
  const { status, stdout, stderr } = spawnSync(program, args, {
    cwd: folder, encoding: 'utf8', env: { ...process.env, NO_COLOR: '1', NODE_OPTIONS: '' }, timeout: 300_000,
  })
  return { ok: status === 0, text: `${stdout}${stderr}`.trim() }
}

/**
 * Makes the project and installs tarballs, offline: a dependency that is not among them cannot come from anywhere.
 * `tools`: packages of the repository's own node_modules that the project may use, as a stranger would have them.
 */
export const createProject = (folder, tarballs, { root, tools = [] }) => {
  mkdirSync(folder, { recursive: true })
  writeFileSync(join(folder, 'package.json'), JSON.stringify({ name: 'stranger', private: true, type: 'module' }))
  const installed = run(folder, 'npm', ['install', '--offline', '--no-audit', '--no-fund', '--ignore-scripts', ...tarballs])
  if (installed.ok) {
    for (const tool of tools) {
      mkdirSync(join(folder, 'node_modules', tool, '..'), { recursive: true })
      symlinkSync(join(root, 'node_modules', tool), join(folder, 'node_modules', tool))
    }
  }
  return installed
}
