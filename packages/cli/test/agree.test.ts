// iommu agree: what it says where model and QEMU agree, where they do not, and where there is no QEMU.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, test, vi } from 'vitest'
import { findInstallation, startQemu } from '@iommu/machine-qemu'
import type { Installation } from '@iommu/machine-qemu'
import { applies, compare, createPair, reproduces } from '../src/agree/compare.js'
import { amdSubject } from '../src/agree/amd/subject.js'
import { build as buildAmd, DOMAIN_ID } from '../src/agree/amd/plan.js'
import type { AmdPlan } from '../src/agree/amd/plan.js'
import { allPages } from '../src/agree/amd/stale.js'
import { armSubjects } from '../src/agree/arm/subject.js'
import { build as buildArm, rootBitsOf } from '../src/agree/arm/plan.js'
import type { ArmPlan } from '../src/agree/arm/plan.js'
import type { PlannedState } from '../src/agree/plan.js'
import { createRandom } from '../src/agree/random.js'
import { compareStale, reproduceStale } from '../src/agree/stale.js'
import type { Answered } from '../src/agree/stale.js'
import type { Lens, StaleSubject, Subject } from '../src/agree/subject.js'
import { targets } from '../src/agree/targets.js'
import { build as buildRiscv } from '../src/agree/riscv/plan.js'
import type { RiscvPlan } from '../src/agree/riscv/plan.js'
import { riscvSubjects } from '../src/agree/riscv/subject.js'
import { generatePlan, probesOf } from '../src/agree/vtd/generate.js'
import { build } from '../src/agree/vtd/plan.js'
import type { VtdPlan } from '../src/agree/vtd/plan.js'
import { vtdSubjects } from '../src/agree/vtd/subject.js'
import { iommu, json } from './command.js'
import { describeOnQemu, PROBES } from './with-qemu.js'

const [legacy, secondStage] = vtdSubjects as [Subject<VtdPlan>, Subject<VtdPlan>]
const [, stage2, contexts] = armSubjects as [Subject<ArmPlan>, Subject<ArmPlan>, Subject<ArmPlan>]

describe('iommu agree', () => {
  test('bad usage is said in a sentence', async () => {
    expect((await iommu(['agree', '--target', 'no-such'])).stderr).toMatch(/there is no target "no-such"; there are vtd-legacy/)
    expect((await iommu(['agree', '--count', 'many'])).code).toBe(2)
    expect((await iommu(['agree', '--count', '0'])).stderr).toBe('iommu agree: --count 0: expected a whole number, 1 or more\n')
    expect((await iommu(['agree', '--machine', 'xen'])).code).toBe(2)
  })

  test('without QEMU it says how to get one, and exits with 3', async () => {
    vi.stubEnv('IOMMU_QEMU_CACHE', '/nowhere')
    vi.stubEnv('IOMMU_QEMU', '')
    vi.stubEnv('PATH', '')
    const { code, stderr } = await iommu(['agree'])
    vi.unstubAllEnvs()
    expect(stderr).toMatch(/there is no QEMU 11\.1 or later.*npm run qemu:setup/)
    expect(code).toBe(3)
  })

  test('with a QEMU that can be none of what is named it says why, and exits with 3: in conform too, where nothing has passed then', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'agree-'))
    writeFileSync(join(folder, 'qemu-system-x86_64'), '#!/bin/sh\necho "QEMU emulator version 99.0.0"\n', { mode: 0o755 })
    vi.stubEnv('IOMMU_QEMU', folder)
    const agree = await iommu(['agree', '--target', 'riscv-base', '--qemu', '99.0'])
    const conform = await iommu(['conform', 'driver-riscv', '--machine', 'qemu', '--qemu', '99.0'])
    vi.unstubAllEnvs()
    rmSync(folder, { recursive: true })
    const why = `QEMU 99.0.0 in ${folder} has no qemu-system-riscv64`
    expect(agree).toMatchObject({ code: 3, stdout: expect.stringContaining(`– riscv-base: ${why}`) as string })
    expect(conform).toMatchObject({ code: 3, stdout: expect.stringContaining(`– ${why}: C-DRV-01`) as string })
    expect(conform.stdout).not.toContain('✓')
  })
})

describe('states', () => {
  test('a seed makes the same states and probes each time, and another seed others', () => {
    const plans = (seed: number): string => {
      const random = createRandom(seed, 'x')
      return Array.from({ length: 20 }, (_, turn) => {
        const plan = generatePlan(random, 'first-stage', turn)
        return JSON.stringify([plan, probesOf(random, plan)], (_key, value: unknown) => (typeof value === 'bigint' ? value.toString() : value))
      }).join('\n')
    }
    expect(plans(1)).toBe(plans(1))
    expect(plans(1)).not.toBe(plans(2))
  })

  test.each(['legacy', 'second-stage', 'first-stage'] as const)('%s: every class is at least one state in twenty', (mode) => {
    const random = createRandom(1, mode)
    const counts = new Map<string, number>()
    for (let turn = 0; turn < 1000; turn++) {
      const plan = generatePlan(random, mode, turn)
      expect(build(plan).frames.size).toBeGreaterThan(2)
      counts.set(plan.class, (counts.get(plan.class) ?? 0) + 1)
    }
    expect(counts.size).toBe(mode === 'legacy' ? 11 : 12)
    expect(Math.min(...counts.values())).toBeGreaterThanOrEqual(50)
  })

  const shares = <Plan extends PlannedState>(subject: Subject<Plan>, frames: (plan: Plan) => number): Map<string, number> => {
    const random = createRandom(1, subject.target)
    const counts = new Map<string, number>()
    for (let turn = 0; turn < 1000; turn++) {
      const plan = subject.generate(random, turn)
      expect(frames(plan)).toBeGreaterThan(2)
      counts.set(plan.class, (counts.get(plan.class) ?? 0) + 1)
    }
    return counts
  }

  test('AMD-Vi: every class is at least one state in twenty', () => {
    const counts = shares(amdSubject, (plan) => buildAmd(plan).frames.size)
    expect(counts.size).toBe(14)
    expect(Math.min(...counts.values())).toBeGreaterThanOrEqual(50)
  })

  test.each(armSubjects)('$target: every class is at least one state in twenty', (subject) => {
    const counts = shares(subject, (plan) => buildArm(plan).frames.size)
    // A request with an SSID does not bypass.
    expect(counts.size).toBe(subject.lens === undefined ? 14 : 13)
    expect(Math.min(...counts.values())).toBeGreaterThanOrEqual(50)
  })

  test.each(riscvSubjects)('$target: every class is at least one state in twenty', (subject) => {
    const counts = shares(subject, (plan) => buildRiscv(plan).frames.size)
    expect(counts.size).toBe(13)
    expect(Math.min(...counts.values())).toBeGreaterThanOrEqual(50)
  })

  test('process contexts are those of many PASIDs, and half of their probes have one', () => {
    const [firstStage] = riscvSubjects as [Subject<RiscvPlan>]
    const random = createRandom(1, 'x')
    const plans = Array.from({ length: 300 }, (_, turn) => firstStage.generate(random, turn))
    const pasids = plans.flatMap(({ pasid }) => pasid ?? [])
    expect(pasids.length).toBeGreaterThan(120)
    expect(new Set(pasids).size).toBeGreaterThan(20)
    const probes = plans.filter(({ pasid }) => pasid !== undefined).flatMap((plan) => firstStage.probes(random, plan))
    const asked = probes.filter(({ pasid }) => pasid !== undefined)
    expect(asked.length).toBeGreaterThan(400)
    // A question is about a page.
    expect(asked.every(({ address }) => (address & 0xfffn) === 0n)).toBe(true)
  })

  test('CD tables are arrays and have leaves of both sizes, and most hold further contexts', () => {
    const random = createRandom(1, 'x')
    const plans = Array.from({ length: 300 }, (_, turn) => contexts.generate(random, turn))
    expect(new Set(plans.map((plan) => plan.contexts?.leafBits))).toEqual(new Set([0, 6, 10]))
    expect(plans.filter((plan) => (plan.contexts?.others.length ?? 0) > 0).length).toBeGreaterThan(150)
    for (const plan of plans) {
      const { ssid = 0, max = 0, others = [] } = plan.contexts ?? {}
      for (const each of [ssid, ...others.map((other) => other.ssid)]) expect(each > 0 && each < 2 ** max).toBe(true)
      for (const { pasid } of contexts.probes(random, plan)) expect(pasid !== undefined && pasid < 2 ** max).toBe(true)
    }
  })

  test('stage 2 has tables side by side as its root, as many as 16', () => {
    const random = createRandom(1, 'x')
    const tables = Array.from({ length: 300 }, (_, turn) => stage2.generate(random, turn))
      .map((plan) => 2 ** Math.max(rootBitsOf(plan) - (plan.granule - 3), 0))
    expect(Math.max(...tables)).toBe(16)
    expect(new Set(tables).size).toBeGreaterThan(3)
  })
})

describeOnQemu('the models beside QEMU', () => {
  const installation = findInstallation() as Installation
  const withQemu = <Plan extends PlannedState, T>(subject: Subject<Plan>, run: (qemu: ReturnType<typeof startQemu>) => T): T => {
    const qemu = startQemu({ board: subject.board, installation, devices: subject.sources })
    try {
      return run(qemu)
    } finally {
      qemu.stop()
    }
  }

  test('they agree but for the listed deviations, each of which still shows', async () => {
    const { schema, totals, targets: found } = await json(['agree', '--count', String(PROBES), '--seed', '7']) as {
      schema: string; totals: { probes: number; disagreements: number }
      targets: {
        target: string; probes: number; leaf: number; listed: { shows: boolean }[]
        stale: { cases: number; listed: { shows: boolean }[] }; difference?: unknown
      }[]
    }
    expect(schema).toBe('iommu.agree/1')
    expect(totals).toMatchObject({ probes: PROBES * targets.length, disagreements: 0 })
    expect(found.map(({ target }) => target)).toEqual(targets.map(({ name }) => name))
    for (const each of found) {
      expect(each.difference).toBeUndefined()
      expect(each.leaf).toBeGreaterThan(each.probes / 2)
      // Caches are tried once for each kind of table.
      expect(each.stale.cases > 0).toBe(!['smmuv3-contexts', 'riscv-both-stages'].includes(each.target))
      expect([...each.listed, ...each.stale.listed].every(({ shows }) => shows)).toBe(true)
    }
  }, 240_000)

  test('a deviation that is not listed is found, made small, and shown', () => {
    const { difference } = withQemu(legacy, (qemu) => compare({ ...legacy, deviations: [] }, qemu, { probes: 3000, seed: 1 }))
    expect(difference).toBeDefined()
    expect(difference?.plan.pages.length).toBe(1)
    expect(difference?.steps.length).toBeGreaterThan(0)
  }, 120_000)

  test('a model that is wrong in one bit is found', () => {
    const wrong: Subject<VtdPlan> = {
      ...secondStage,
      // The model reads another table word than QEMU does.
      install(machine, plan) {
        secondStage.install(machine, 'recorded' in machine ? plan : { ...plan, pages: plan.pages.map((page) => ({ ...page, target: page.target ^ 0x1000n })) })
      },
    }
    expect(withQemu(secondStage, (qemu) => compare(wrong, qemu, { probes: 500, seed: 1 })).difference).toBeDefined()
  }, 120_000)

  test('a deviation that QEMU no longer has is noticed', () => {
    const mended = { ...legacy, deviations: [{
      id: 'mended', says: 'QEMU lets everything through',
      answer: () => ({ where: 0n, records: [] }), reproduce: () => ({ plan: legacy.generate(createRandom(1, 'x'), 0), probes: [{ source: 0x20, address: 0n, access: 'read' as const }] }),
    }] }
    withQemu(legacy, (qemu) => {
      const pair = createPair(mended, qemu)
      const [deviation] = mended.deviations
      expect(deviation && reproduces(pair, deviation).shows).toBe(false)
    })
  }, 120_000)

  test.each([amdSubject, ...armSubjects, ...riscvSubjects] as Subject<PlannedState>[])('$target: a deviation that is not listed is found, made small, and shown', (subject) => {
    const { difference } = withQemu(subject, (qemu) => compare({ ...subject, deviations: [] }, qemu, { probes: 3000, seed: 1 }))
    expect(difference).toBeDefined()
    expect(difference?.plan.pages.length).toBe(1)
  }, 120_000)

  test('caches that were not told give the old answer, and those that were the new one', () => {
    const { kinds, wrong } = withQemu(legacy, (qemu) => compareStale(legacy, qemu, 150, 3))
    expect(wrong).toBeUndefined()
    const of = (name: string): Answered => kinds.get(name) ?? { old: 0, fresh: 0, same: 0 }
    expect(of('a leaf goes; IOTLB left out').old).toBeGreaterThan(0)
    expect(of('a leaf goes; nothing is left out')).toMatchObject({ old: 0 })
    expect(of('a leaf goes; nothing is left out').fresh).toBeGreaterThan(0)
  }, 120_000)

  test('an answer that no cache explains is found', () => {
    const stale = legacy.stale as StaleSubject<VtdPlan>
    const deaf: Subject<VtdPlan> = {
      ...legacy,
      // QEMU is not told of anything, and the model of everything.
      stale: { ...stale, submit: (machine, plan, commands) => stale.submit(machine, plan, 'recorded' in machine ? [] : commands) },
    }
    expect(withQemu(legacy, (qemu) => compareStale(deaf, qemu, 150, 3)).wrong).toBeDefined()
  }, 120_000)

  test('what a device kept by device id shows where its domain says otherwise, and not where the domain is invalidated', () => {
    withQemu(amdSubject, (qemu) => {
      const tried = reproduceStale(createPair(amdSubject, qemu))
      expect(tried.map(({ deviation: { id }, shows }) => [id, shows])).toEqual([['amd-kept-by-device', true]])
      const stale = amdSubject.stale as StaleSubject<AmdPlan>
      const mended = { ...amdSubject, stale: { ...stale, deviations: stale.deviations.map((each) => ({
        ...each, reproduce: () => ({ ...each.reproduce(), commands: [...each.reproduce().commands, allPages(DOMAIN_ID)] }),
      })) } }
      expect(reproduceStale(createPair(mended, qemu)).every(({ shows }) => !shows)).toBe(true)
    })
  }, 120_000)

  test('through the lens another context than the one that is asked for is noticed', () => {
    const lens = contexts.lens as Lens
    const wrong: Subject<ArmPlan> = {
      ...contexts,
      lens: { ...lens, ask: (machine, board, probe) => lens.ask(machine, board, { ...probe, pasid: (probe.pasid ?? 0) ^ 1 }) },
    }
    const { difference } = withQemu(contexts, (qemu) => compare(wrong, qemu, { probes: 200, seed: 1 }))
    expect(difference).toBeDefined()
  }, 120_000)
})

test('a series that is not listed is taken for the newest listed one below it', () => {
  expect(['12.0', '11.1', '10.2', '9.0', '7.2'].map((series) => applies({ series: ['11.1'] }, series))).toEqual([true, true, false, false, false])
  expect(applies({ series: ['10.0'] }, '10.2')).toBe(true)
  expect(applies({}, '9.0')).toBe(true)
})
