// Where QEMU is looked for, and what is said where it is not.
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, test } from 'vitest'
import { cacheFolder, findInstallation, findInstallations } from '../src/installations.js'

const folder = mkdtempSync(join(tmpdir(), 'installations-'))
afterAll(() => rmSync(folder, { recursive: true }))

/** A folder with a program that says that it is QEMU. */
const pretend = (name: string, version: string): string => {
  const place = join(folder, name)
  mkdirSync(place, { recursive: true })
  const file = join(place, 'qemu-system-x86_64')
  writeFileSync(file, `#!/bin/sh\necho "QEMU emulator version ${version} (somewhere)"\n`)
  chmodSync(file, 0o755)
  return place
}

describe('installations', () => {
  test('the cache folder is named by the environment, or lies under the user\'s', () => {
    expect(cacheFolder({ IOMMU_QEMU_CACHE: '/c' })).toBe('/c')
    expect(cacheFolder({ XDG_CACHE_HOME: '/x' })).toBe('/x/iommu/qemu')
  })

  test('none are found where there are none', () => {
    const env = { IOMMU_QEMU_CACHE: join(folder, 'nothing'), PATH: '/nowhere' }
    expect(findInstallations(env)).toEqual([])
    expect(findInstallation(undefined, env)).toBeUndefined()
  })

  test('newest first, by numbers; the reference is 11.1 or later; a series is found by name', () => {
    pretend('cache/one', '10.0.2')
    pretend('cache/two', '11.10.0')
    pretend('cache/three', '11.2.7')
    const env = { IOMMU_QEMU_CACHE: join(folder, 'cache'), PATH: pretend('path', '7.2.22'), IOMMU_QEMU: pretend('named', '9.2.0') }
    expect(findInstallations(env).map(({ version }) => version)).toEqual(['11.10.0', '11.2.7', '10.0.2', '9.2.0', '7.2.22'])
    expect(findInstallation(undefined, env)?.version).toBe('11.10.0')
    expect(findInstallation('7.2', env)?.where).toBe(join(folder, 'path'))
    expect(findInstallation('8.0', env)).toBeUndefined()
    expect(findInstallation('7.2', env)?.command('qemu-system-aarch64')).toBeUndefined()
  })

  test('what is still being unpacked is no installation', () => {
    pretend('unpacking/.new-x', '11.1.3')
    pretend('unpacking/.new-x.before', '11.1.3')
    expect(findInstallations({ IOMMU_QEMU_CACHE: join(folder, 'unpacking'), PATH: '/nowhere' })).toEqual([])
  })
})
