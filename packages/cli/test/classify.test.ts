// classify: its screens as the documentation shows them, its JSON, and what it refuses.
import { readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { iommu, json } from './command.js'

const page = readFileSync(new URL('../../../docs/which-detach.md', import.meta.url), 'utf8')
/** Blocks of the page that begin with a command: the command, and what it writes. */
const shown = [...page.matchAll(/```console\n\$ iommu (.*)\n([^`]*)```/g)].map(([, command, output]) => [command ?? '', output ?? ''] as const)
const SLOW = 60_000

describe('docs/which-detach.md', () => {
  test('shows the commands', () => {
    expect(shown.map(([command]) => command)).toEqual(['classify', 'classify amd --bits', 'classify msm sprd', 'classify --ownership driver-intel-vtd driver-legacy-nodefault'])
  })
  test.each(shown)('iommu %s', async (command, output) => {
    const { code, stdout, stderr } = await iommu(command.split(' '))
    expect({ code, stdout, stderr }).toEqual({ code: 0, stdout: output, stderr: '' })
    expect(stdout.split('\n').filter((line) => line.length > 80)).toEqual([])
  }, SLOW)
})

test('--json', async () => {
  const { schema, drivers } = await json(['classify', 's390', 'fsl_pamu', 'tegra-smmu'])
  expect(schema).toBe('iommu.classify/1')
  expect(drivers).toMatchObject([
    { driver: 's390', guess2022: 'platform DMA ops', effect: 'platform', guessHeld: true, linux73: { detach: 'blocked', blocked: 'blocked', identity: 'identity', release: 'blocked' } },
    { driver: 'fsl_pamu', effect: 'blocked', guessHeld: false, linux73: { detach: 'platform' }, hazards: [{ shown: true, cured: true }] },
    { driver: 'tegra-smmu', guess2022: null, effect: 'identity', guessHeld: null },
  ])
}, SLOW)

test('--ownership --json', async () => {
  const { ownership } = await json(['classify', '--ownership', '--devices', '2']) as { ownership: { driver: string; backend: string; devices: number }[] }
  expect(ownership.filter(({ driver }) => driver === 'driver-legacy-nodefault')).toHaveLength(8)
  expect(ownership.find(({ backend }) => backend === 'msm')).toMatchObject({ devices: 2, blocked: { cost: { pages: 0 } }, standIn: { cost: { pages: 8 } } })
}, SLOW)

test('--expect', async () => {
  expect((await iommu(['classify', 'amd', 'intel', '--expect', 'blocked'])).code).toBe(0)
  expect((await iommu(['classify', 'amd', 'msm', '--expect', 'blocked'])).code).toBe(1)
}, SLOW)

test.each([
  [['classify', 'ams'], 'there is no driver "ams" in the thread; did you mean amd?'],
  [['classify', '--expect', 'blocked'], '--expect needs the drivers that it is about'],
  [['classify', 'amd', '--expect', 'open'], '--expect is one of blocked, identity, none, platform, mixed, found "open"'],
  [['classify', '--devices', '2'], '--devices goes with --ownership'],
  [['classify', '--ownership', '--devices', '9'], '--devices is a number from 1 to 4, found "9"'],
  [['classify', '--ownership', '--bits'], '--ownership asks for costs, not for effects'],
])('%j is refused', async (args, sentence) => {
  expect(await iommu(args)).toEqual({ code: 2, stdout: '', stderr: `iommu classify: ${sentence}\n` })
})
