// An empty project of a stranger: tarballs in it and nothing else, no registry asked.
import { spawn } from 'node:child_process'
import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

/** Longest run of one program in milliseconds. */
const PATIENCE = 300_000

/** Runs a program in a folder. `ok`, and what it printed. */
export const run = (folder, program, args) => new Promise((resolve) => {
  const child = spawn(program, args, {
    cwd: folder, env: { ...process.env, NO_COLOR: '1', NODE_OPTIONS: '' }, timeout: PATIENCE, stdio: ['ignore', 'pipe', 'pipe'],
  })
  let text = ''
  const keep = (piece) => { text += piece }
  child.stdout.setEncoding('utf8').on('data', keep)
  child.stderr.setEncoding('utf8').on('data', keep)
  child.on('error', ({ message }) => resolve({ ok: false, text: message }))
  child.on('close', (status, signal) => resolve({ ok: status === 0, text: `${text.trim()}${signal === null ? '' : `\nended by ${signal}`}` }))
})

/**
 * Makes the project and installs tarballs, offline: a dependency that is not among them cannot come from anywhere.
 * `tools`: packages of the repository's own node_modules that the project may use, as a stranger would have them.
 */
export const createProject = async (folder, tarballs, { root, tools = [] }) => {
  mkdirSync(folder, { recursive: true })
  writeFileSync(join(folder, 'package.json'), JSON.stringify({ name: 'stranger', private: true, type: 'module' }))
  const installed = await run(folder, 'npm', ['install', '--offline', '--no-audit', '--no-fund', '--ignore-scripts', ...tarballs])
  if (installed.ok) {
    for (const tool of tools) {
      mkdirSync(join(folder, 'node_modules', tool, '..'), { recursive: true })
      symlinkSync(join(root, 'node_modules', tool), join(folder, 'node_modules', tool))
    }
  }
  return installed
}
