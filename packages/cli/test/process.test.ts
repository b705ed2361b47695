// The command as a process: bundled from the sources, and run as people run it, with pipes, full disks and drivers that misbehave.
import { spawn } from 'node:child_process'
import { existsSync, mkdtempSync, openSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { build } from 'tsup'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'

const folder = mkdtempSync(join(tmpdir(), 'iommu-process-'))
const source = (path: string): string => fileURLToPath(new URL(`../src/${path}`, import.meta.url))

/** Drivers that misbehave when a device is probed: several kinds of hardware, so that there are threads. */
const DRIVERS = {
  talks: 'console.log("from the driver")',
  exits: 'process.exit(0)',
} as const
const driver = (name: keyof typeof DRIVERS): string => join(folder, 'out', `${name}.js`)

beforeAll(async () => {
  symlinkSync(fileURLToPath(new URL('../../../node_modules', import.meta.url)), join(folder, 'node_modules'))
  writeFileSync(join(folder, 'package.json'), '{"type":"module"}')
  for (const [name, act] of Object.entries(DRIVERS)) {
    writeFileSync(join(folder, `${name}.js`), `import { backends as all } from '@iommu/driver-riscv/backends'
export const backends = all.slice(0, 4).map((each) => ({ ...each, createDriver(...args) {
  const ops = each.createDriver(...args)
  return { ...ops, probeDevice(device) { ${act}; ops.probeDevice(device) } }
} }))`)
  }
  await build({
    config: false, silent: true, clean: false, dts: false, format: 'esm', target: 'node20', platform: 'node', outDir: join(folder, 'out'),
    entry: {
      iommu: source('iommu.ts'), 'conform-worker': source('conform-worker.ts'),
      ...Object.fromEntries(Object.keys(DRIVERS).map((name) => [name, join(folder, `${name}.js`)])),
    },
    noExternal: [/^@iommu\/(?!vectors|explorer)/],
    esbuildOptions(options) { options.conditions = ['@iommu/source'] },
  })
}, 60_000)
afterAll(() => rmSync(folder, { recursive: true, force: true }))

interface Ended {
  readonly code: number | null
  readonly stdout: string
  readonly stderr: string
}

interface Around {
  readonly env?: NodeJS.ProcessEnv
  /** The reader goes away after the first piece. */
  readonly enough?: boolean
  /** A file that the answer goes to. */
  readonly stdout?: number
}

const run = (args: readonly string[], { env = {}, enough = false, stdout }: Around = {}): Promise<Ended> =>
  new Promise((done) => {
    const written = { stdout: '', stderr: '' }
    const { FORCE_COLOR: _force, NO_COLOR: _no, ...plain } = process.env
    const child = spawn(process.execPath, [join(folder, 'out/iommu.js'), ...args], { env: { ...plain, ...env }, stdio: ['ignore', stdout ?? 'pipe', 'pipe'] })
    child.stdout?.on('data', (piece: Buffer) => {
      written.stdout += piece.toString()
      if (enough) child.stdout?.destroy()
    })
    child.stderr?.on('data', (piece: Buffer) => { written.stderr += piece.toString() })
    child.on('close', (code) => done({ code, ...written }))
  })

describe('the answer goes to standard output, alone', () => {
  test('a reader that has seen enough is no error', async () => {
    const { code, stdout, stderr } = await run(['vectors'], { enough: true })
    expect([code, stderr]).toEqual([0, ''])
    expect(stdout.length).toBeGreaterThan(0)
  })

  test.skipIf(!existsSync('/dev/full'))('a disk that is full is one, and no "no"', async () => {
    const { code, stderr } = await run(['vectors'], { stdout: openSync('/dev/full', 'w') })
    expect(code).toBe(3)
    expect(stderr).toMatch(/^iommu: the answer could not be written: ENOSPC.*\n$/)
  })

  test('colours only where they are asked for', async () => {
    const args = ['decode', 'vtd.pasid', '0x89']
    const escape = String.fromCharCode(27)
    expect((await run(args)).stdout).not.toContain(escape)
    expect((await run(args, { env: { FORCE_COLOR: '1' } })).stdout).toContain(escape)
    expect((await run(args, { env: { FORCE_COLOR: '1', NO_COLOR: '1' } })).stdout).not.toContain(escape)
  })

  test('what a driver prints is talk', async () => {
    const { code, stdout, stderr } = await run(['conform', driver('talks'), '--only', 'C-DRV-01', '--json'])
    expect(JSON.parse(stdout)).toMatchObject({ schema: 'iommu.conform/1', totals: { passed: 4, failed: 0 } })
    expect(stderr).toMatch(/^(?:from the driver\n)+$/)
    expect(code).toBe(0)
  })
})

test('a program that is asked for vectors ends with the command', async () => {
  const [hangs, mark] = ['hangs.mjs', 'pid'].map((name) => join(folder, name)) as [string, string]
  writeFileSync(hangs, `import { writeFileSync } from 'node:fs'
writeFileSync(${JSON.stringify(mark)}, String(process.pid))
setTimeout(() => undefined, 60_000)`)
  const child = spawn(process.execPath, [join(folder, 'out/iommu.js'), 'vectors', '--check', `${process.execPath} ${hangs}`], { stdio: 'ignore' })
  const ended = new Promise<string | null>((done) => child.on('close', (_code, signal) => done(signal)))
  await expect.poll(() => existsSync(mark) && readFileSync(mark, 'utf8'), { timeout: 10_000 }).toBeTruthy()
  child.kill('SIGTERM')
  expect(await ended).toBe('SIGTERM')
  const isAlive = (): boolean => {
    try {
      return process.kill(Number(readFileSync(mark, 'utf8')), 0)
    } catch {
      return false
    }
  }
  await expect.poll(isAlive, { timeout: 10_000 }).toBe(false)
})

test('a driver that ends its process, or its thread, is no success', async () => {
  for (const more of [[], ['--quick']]) {
    const { code, stdout, stderr } = await run(['conform', driver('exits'), '--only', 'C-DRV-01', ...more])
    expect([code, stdout]).toEqual([3, ''])
    expect(stderr).toMatch(/^iommu.* ended before its answer was there\n$/)
  }
})
