// explore: the page is served whole, to this machine, and nothing besides it.
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { servePage } from '../src/serve-page.js'
import type { ServedPage } from '../src/serve-page.js'
import { iommu } from './command.js'

const folder = mkdtempSync(join(tmpdir(), 'explore-'))
let served: ServedPage

beforeAll(async () => {
  mkdirSync(join(folder, 'page/assets'), { recursive: true })
  writeFileSync(join(folder, 'page/index.html'), '<!doctype html>')
  writeFileSync(join(folder, 'page/assets/main.js'), 'main()')
  writeFileSync(join(folder, 'secret.txt'), 'not to be served')
  served = await servePage(join(folder, 'page'), 0)
})
afterAll(async () => {
  await served.close()
  rmSync(folder, { recursive: true })
})

const ask = async (path: string, method = 'GET'): Promise<readonly [status: number, type: string | null, text: string]> => {
  const answer = await fetch(`${served.address}${path}`, { method })
  return [answer.status, answer.headers.get('content-type'), await answer.text()]
}

describe('iommu explore', () => {
  test('serves the page and its scripts with their types', async () => {
    expect(served.address).toMatch(/^http:\/\/127\.0\.0\.1:\d+\/$/)
    expect(await ask('')).toEqual([200, 'text/html; charset=utf-8', '<!doctype html>'])
    expect(await ask('assets/main.js?v=1')).toEqual([200, 'text/javascript; charset=utf-8', 'main()'])
  })

  test.each(['%00', 'x'.repeat(300), 'index.html/x', '%2e%2e/secret.txt', '..%2fsecret.txt', 'assets', 'nothing.js', '%ff', 'assets/..%2f..%2fsecret.txt'])('does not serve %s', async (path) => {
    expect((await ask(path))[0]).toBe(404)
  })

  test('takes no other method', async () => {
    expect((await ask('', 'POST'))[0]).toBe(404)
  })

  test('a port that is none is named', async () => {
    for (const port of ['x', '65536', '-1']) {
      const { code, stderr } = await iommu(['explore', `--port=${port}`])
      expect(code).toBe(2)
      expect(stderr).toContain(`found "${port}"`)
    }
  })
})
