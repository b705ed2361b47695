// The command as a process: bundled from the sources, and run as people run it, with pipes, full disks and drivers that misbehave.
import { spawn } from 'node:child_process'
import { existsSync, mkdtempSync, openSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { build } from 'tsup'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type * as Tasks from '../src/conform-tasks.js'
import type * as Threads from '../src/threads.js'

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
  // One kind of hardware answers, the other loops where a device is blocked.
  writeFileSync(join(folder, 'loops.js'), `import { backends as all } from '@iommu/driver-riscv/backends'
export const backends = [all[1], { ...all[0], createDriver(...args) {
  const ops = all[0].createDriver(...args)
  return { ...ops, blockedDomain: { ...ops.blockedDomain, attachDev() { for (;;); } } }
} }]`)
  await build({
    config: false, silent: true, clean: false, dts: false, format: 'esm', target: 'node20', platform: 'node', outDir: join(folder, 'out'),
    entry: {
      iommu: source('iommu.ts'), 'conform-worker': source('conform-worker.ts'), threads: source('threads.ts'), tasks: source('conform-tasks.ts'),
      ...Object.fromEntries([...Object.keys(DRIVERS), 'loops'].map((name) => [name, join(folder, `${name}.js`)])),
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

describe('a driver that loops for ever', () => {
  const ONLY = ['C-DRV-01', 'C-BLOCK-01', 'C-BLOCK-02', 'C-ATTACH-01']
  const loaded = async (): Promise<typeof Threads & typeof Tasks> =>
    ({ ...await import(join(folder, 'out/threads.js')) as typeof Threads, ...await import(join(folder, 'out/tasks.js')) as typeof Tasks })

  test.each([['beside another kind of hardware', 2], ['alone', 1]])('is stopped %s', async (_where, count) => {
    const { listTasks, runTasks } = await loaded()
    const tasks = (await listTasks('suite', join(folder, 'out/loops.js'), { only: ONLY, quick: false })).slice(-count)
    const said: string[] = []
    const outcomes = await runTasks(tasks, { finished: () => undefined, silent: (says) => said.push(says) }, { tellAfter: 4_000, stopAfter: 8_000 })
    const reports = outcomes.map((each) => ('report' in each ? each.report : undefined))
    const looping = reports.at(-1)
    // What came before has its answer, what comes after has none, and nothing is left out.
    expect(looping?.results.map(({ driver, backend, statement, status, reason }) => [driver, backend, statement, status, reason])).toMatchObject([
      ['driver-riscv', 'extended contexts', 'C-DRV-01', 'passed', undefined],
      ['driver-riscv', 'extended contexts', 'C-ATTACH-01', 'passed', undefined],
      ['driver-riscv', 'extended contexts', 'C-BLOCK-01', 'failed', 'did not return within 8 s'],
      ['driver-riscv', 'extended contexts', 'C-BLOCK-02', 'unavailable', 'not run: C-BLOCK-01 did not return'],
    ])
    expect(looping?.totals).toMatchObject({ passed: 2, failed: 1, skipped: 1 })
    expect(said).toContain('nothing came from driver-riscv on extended contexts for 4 s, in C-BLOCK-01; after 8 s it is stopped')
    // The other kind of hardware is asked all of it.
    for (const other of reports.slice(0, -1)) expect(other?.totals).toMatchObject({ passed: 4, failed: 0, skipped: 0 })
  })
})

test('a driver that ends its process, or its thread, is no success', async () => {
  for (const more of [[], ['--quick']]) {
    const { code, stdout, stderr } = await run(['conform', driver('exits'), '--only', 'C-DRV-01', ...more])
    expect([code, stdout]).toEqual([3, ''])
    expect(stderr).toMatch(/^iommu.* ended before its answer was there\n$/)
  }
})
