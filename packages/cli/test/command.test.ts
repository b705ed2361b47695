// The command around its verbs: help, exit codes, one sentence for every mistake.
import { readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { summaries, verbs } from '../src/verbs/index.js'
import type { VerbName } from '../src/verbs/index.js'
import { VERSION } from '../src/version.js'
import { capture, iommu } from './command.js'

const names = Object.keys(verbs) as VerbName[]

describe('help', () => {
  test('the list has every verb', async () => {
    const { code, stdout } = await iommu(['--help'])
    expect(code).toBe(0)
    for (const name of names) expect(stdout).toContain(`iommu ${name}`)
  })

  test.each(names)('help %s, and --help behind it', async (name) => {
    const { code, stdout } = await iommu(['help', name])
    expect(code).toBe(0)
    expect(stdout).toContain(`iommu ${name}`)
    expect(await iommu([name, '--help'])).toEqual({ code, stdout, stderr: '' })
  })

  test.each(names)('what the list says of %s is what the verb says of itself', async (name) => {
    const { verb } = await verbs[name]()
    expect([verb.name, verb.summary]).toEqual([name, summaries[name]])
  })

  test.each(['', 'decode', 'encode', 'inspect', 'walk', 'reproduce', 'explain', 'drivers'])(
    'help %s fits 80 columns',
    async (name) => {
      const { stdout } = await iommu(name === '' ? ['help'] : ['help', name])
      expect(stdout.split('\n').filter((line) => line.length > 80)).toEqual([])
    },
  )

  test("the version is the package's", async () => {
    const { version } = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8')) as {
      version: string
    }
    expect(VERSION).toBe(version)
    expect(await iommu(['--version'])).toEqual({ code: 0, stdout: `${version}\n`, stderr: '' })
  })

  test('no verb at all is bad usage', async () => expect(await iommu([])).toMatchObject({ code: 2, stdout: '' }))
})

describe('mistakes are told in one sentence, with exit code 2', () => {
  const legacy = capture('intel-7.3.4-legacy-edu-vfio')
  test.each<[readonly string[], string]>([
    [['deocde'], 'iommu: there is no verb "deocde"; did you mean decode?'],
    [['help', 'wlak'], 'iommu: there is no verb "wlak"; did you mean walk?'],
    [['decode'], 'iommu decode: expected the name of an entry and its words, as in: iommu decode vtd.pasid 0x89 0x5'],
    [
      ['decode', 'vtd.pasit', '1'],
      'iommu decode: the arguments, the name of the entry: expected a known one (did you mean vtd.pasid?), found "vtd.pasit"',
    ],
    [['decode', 'vtd.pasid', 'xyz'], 'iommu decode: the words, word 1: expected hexadecimal digits, found "xyz"'],
    [['decode', 'vtd.pasid', '1', '--nope'], "iommu decode: unknown option '--nope'"],
    [
      ['encode', 'vtd.pasid', 'P=2'],
      'iommu encode: the arguments, the value of vtd.pasid.P: expected at most 1 bits, found 0x2',
    ],
    [['inspect'], 'iommu inspect: expected one source: a capture folder, debugfs text, an ELF core or a raw image'],
    [
      ['inspect', '/nowhere'],
      'iommu inspect: /nowhere, the source: expected a capture folder, or a file that can be read, found no such file',
    ],
    [['inspect', capture('..')], 'the source: expected a capture folder with meta.json, registers.json, tables.json, tables.bin, or Linux\'s debugfs files'],
    [['reproduce', capture('..')], 'meta.json: expected a file of the capture, found no such file'],
    [['reproduce'], 'iommu reproduce: expected one capture folder'],
    [['walk', legacy, '--rid', '00:04.0'], 'iommu walk: expected a source, --rid and --iova'],
    [
      ['walk', legacy, '--rid', '00:09.0', '--iova', '0'],
      'iommu walk: the arguments, --rid: expected a device of the capture: 0000:00:00.0 0000:00:02.0 0000:00:03.0',
    ],
    [
      ['walk', legacy, '--rid', 'nvme', '--iova', '0'],
      'expected a device such as 00:04.0, or a requester id such as 0x20, found "nvme"',
    ],
    [
      ['walk', legacy, '--rid', '00:04.0', '--iova', '0x1ffffffffffffffff'],
      '--iova: expected an address of up to 64 bits in hexadecimal',
    ],
    [
      ['walk', legacy, '--rid', '00:04.0', '--iova', '0', '--pasid', '1048576'],
      '--pasid: expected a number below 0x100000, found "1048576"',
    ],
    [
      ['walk', legacy, '--rid', '00:04.0', '--iova', '0', '--expect', 'maybe'],
      '--expect: expected translated or blocked, found "maybe"',
    ],
    [['explain'], 'iommu explain: expected something to explain, as in: dmesg | iommu explain -'],
    [
      ['explain', 'hello'],
      'expected a fault line, a field such as vtd.pasid.PGTT or a code such as vtd:0x59, found "hello"',
    ],
    [['explain', '/nowhere/boot.log'], 'iommu explain: /nowhere/boot.log, the file: expected a log, or - for standard input, found no such file'],
    [['explain', 'boot.log'], 'iommu explain: boot.log, the file: expected a log, or - for standard input, found no such file'],
    [['explain', capture('..')], 'the file: expected a log, or - for standard input, found a folder'],
    [['explain', `hello${String.fromCharCode(27)}[31m`], 'found "hello?[31m"'],
    [['explain', 'x'.repeat(300)], 'expected a fault line'],
    [['inspect', 'x'.repeat(300)], 'the source: expected a capture folder, or a file that can be read'],
    [['encode', 'vtd.pasid', 'P=1', 'P=0'], 'iommu encode: the arguments, the value of vtd.pasid.P: expected one, found a second, "P=0"'],
    [['drivers', 'x'], 'iommu drivers: expected no arguments'],
  ])('%j', async (args, message) => {
    const { code, stdout, stderr } = await iommu(args)
    expect(stderr).toContain(message)
    expect(stderr.trim().split('\n')).toHaveLength(1)
    expect(stderr).not.toMatch(/\bat .*\.[jt]s:/)
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' })
  })
})

describe('colour', () => {
  const escape = String.fromCharCode(27)
  test('only where the terminal takes it, and never with --no-color', async () => {
    const args = ['decode', 'vtd.pasid', '0x89', '0x5']
    expect((await iommu(args)).stdout).not.toContain(escape)
    const coloured = (await iommu(args, '', { colour: true })).stdout
    expect(coloured).toContain(`${escape}[`)
    expect((await iommu([...args, '--no-color'], '', { colour: true })).stdout).not.toContain(escape)
    // Colour changes nothing else: no line breaks elsewhere because of it.
    expect(coloured.replaceAll(new RegExp(`${escape}\\[[0-9;]*m`, 'g'), '')).toBe((await iommu(args)).stdout)
  })
})
