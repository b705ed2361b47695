// The machine on a running QEMU: DMA through it, resets, and what is said when QEMU ends.
import { afterAll, describe, expect, test } from 'vitest'
import { createArmSmmuv3 } from '@iommu/driver-arm-smmuv3'
import { createIntelVtd } from '@iommu/driver-intel-vtd'
import { createRiscv } from '@iommu/driver-riscv'
import type { HardwareEvent } from '@iommu/hardware'
import {
  findInstallation, HOW_TO_GET, QemuError, REFERENCE_SERIES, riscv, riscvBase, smmuv3, startQemu, UnavailableError, vtdLegacy,
  withoutProcessDirectories,
} from '@iommu/machine-qemu'
import type { Board, Qemu, QemuMachine } from '@iommu/machine-qemu'

const RW = { read: true, write: true }
const read = (machine: QemuMachine, address: bigint, source = 0x20): bigint | string => {
  const outcome = machine.dma({ source, kind: 'untranslated', address, access: 'read' })
  return outcome.result === 'translated' ? outcome.address : `blocked, fault 0x${(outcome.fault?.code ?? 0).toString(16)}`
}
const write = (machine: QemuMachine, address: bigint): bigint | string => {
  const outcome = machine.dma({ source: 0x20, kind: 'untranslated', address, access: 'write' })
  return outcome.result === 'translated' ? outcome.address : 'blocked'
}

const installation = findInstallation()
const required = process.env['IOMMU_REQUIRE_QEMU'] === '1'

if (installation === undefined) {
  const line = `machine-qemu's tests on QEMU were not run, there is no QEMU ${REFERENCE_SERIES} or later: ${HOW_TO_GET}`
  test(line, () => {
    process.stderr.write(`${line}\n`)
    expect(required, line).toBe(false)
  })
} else {
  describe(`QEMU ${installation.version}`, () => {
    const running: Qemu[] = []
    const start = (board: Board = vtdLegacy): Qemu => {
      const qemu = startQemu({ board, installation })
      running.push(qemu)
      return qemu
    }
    afterAll(() => {
      for (const each of running) each.stop()
    })

    test('without a driver DMA meets memory as it is, to the last byte that there is', () => {
      const machine = start().machine()
      for (const address of [0x1000n, 0x12_3458n, 0x4000_0123n, 0x1_0000_0000n, 0x1_ffff_fff8n]) {
        expect(read(machine, address)).toBe(address)
        expect(write(machine, address)).toBe(address)
        expect(read(machine, address)).toBe(address)
      }
    })

    test('a driver blocks, maps and unmaps, and every device has its own requester id', () => {
      const machine = start().machine()
      const driver = createIntelVtd(machine, { hostAddressBits: 48 })
      const device = { name: 'device', requesterId: 0x20 }
      driver.probeDevice(device)
      expect(read(machine, 0x10_0000n)).toBe('blocked, fault 0x2')
      const domain = driver.domainAllocPaging?.(device, {})
      if (domain === undefined) throw new Error('the driver has no paging domains')
      domain.mapPages(0x10_0000n, 0x80_0000n, 0x1000n, 2, RW)
      domain.mapPages(0x20_0000n, 0x81_0000n, 0x1000n, 1, { read: true, write: false })
      domain.attachDev(device, undefined)
      expect(read(machine, 0x10_1008n)).toBe(0x80_1008n)
      expect(write(machine, 0x10_0010n)).toBe(0x80_0010n)
      expect(read(machine, 0x20_0000n)).toBe(0x81_0000n)
      expect(write(machine, 0x20_0000n)).toBe('blocked')
      expect(read(machine, 0x10_2000n)).toBe('blocked, fault 0x6')
      expect(read(machine, 0x10_0000n, 0x28)).toBe('blocked, fault 0x2')
    })

    test('an SMMU\'s board has its RAM further up, and records what it refuses once', () => {
      const machine = start(smmuv3).machine()
      expect(read(machine, 0x4010_0000n)).toBe(0x4010_0000n)
      const driver = createArmSmmuv3(machine)
      const device = { name: 'device', requesterId: 0x20 }
      driver.probeDevice(device)
      const domain = driver.domainAllocPaging?.(device, {})
      if (domain === undefined) throw new Error('the driver has no paging domains')
      domain.mapPages(0x10_0000n, 0x4080_0000n, 0x1000n, 1, { read: true, write: false })
      domain.attachDev(device, undefined)
      expect(read(machine, 0x10_0008n)).toBe(0x4080_0008n)
      expect(write(machine, 0x10_0000n)).toBe('blocked')
      expect(machine.recorded).toMatchObject([{ source: 0x20, address: 0x10_0000n, access: 'write', name: 'F_PERMISSION' }])
      expect(read(machine, 0x20_0000n)).toBe('blocked, fault 0x10')
      expect(machine.recorded).toHaveLength(1)
    })

    test.each([riscv, riscvBase])('$name: PASIDs are asked about by registers, and go where their own tables lead', (board) => {
      const machine = start(board).machine()
      const driver = createRiscv(machine)
      const device = { name: 'device', requesterId: 0x20 }
      driver.probeDevice(device)
      driver.probeFinalize?.(device)
      expect(driver.maxPasids?.(device)).toBe(256)
      const [own, other] = [0x8080_0000n, 0x8090_0000n].map((physical) => {
        const domain = driver.domainAllocPaging?.(device, {})
        if (domain === undefined) throw new Error('the driver has no paging domains')
        domain.mapPages(0x10_0000n, physical, 0x1000n, 1, RW)
        domain.mapPages(0x20_0000n, physical + 0x1000n, 0x1000n, 1, { read: true, write: false })
        return domain
      })
      own?.attachDev?.(device, undefined)
      other?.setDevPasid?.(device, 5, undefined)
      const ask = (pasid: number, address: bigint, access: 'read' | 'write' = 'read'): bigint | number | undefined => {
        const outcome = machine.dma({ source: 0x20, kind: 'untranslated', pasid, address, access })
        return outcome.result === 'translated' ? outcome.address : outcome.fault?.code
      }
      expect(read(machine, 0x10_0008n)).toBe(0x8080_0008n)
      expect(write(machine, 0x10_0010n)).toBe(0x8080_0010n)
      expect(ask(5, 0x10_0008n)).toBe(0x8090_0008n)
      expect(ask(5, 0x10_0008n, 'write')).toBe(0x8090_0008n)
      expect(ask(5, 0x20_0000n)).toBe(0x8090_1000n)
      expect(ask(5, 0x20_0000n, 'write')).toBe(15)
      expect(machine.recorded).toMatchObject([{ source: 0x20, address: 0x20_0000n, access: 'write', code: 15, fields: { PV: 1, PID: 5, TTYP: 3 } }])
      expect(ask(5, 0x30_0000n)).toBe(13)
      expect(ask(6, 0x10_0000n)).toBe(266)
      driver.blockedDomain?.setDevPasid?.(device, 5, other)
      expect(ask(5, 0x10_0000n)).toBe(266)
      expect(read(machine, 0x10_0008n)).toBe(0x8080_0008n)
    })

    test('without process directories a driver has no PASIDs, and second stages', () => {
      const machine = withoutProcessDirectories(start(riscv).machine())
      const driver = createRiscv(machine)
      const device = { name: 'device', requesterId: 0x20 }
      driver.probeDevice(device)
      expect(driver.manifest.formats).toContain('sv48x4')
      const domain = driver.domainAllocPaging?.(device, { format: 'sv48x4' })
      if (domain === undefined) throw new Error('the driver has no paging domains')
      domain.mapPages(0x10_0000n, 0x8080_0000n, 0x1000n, 1, RW)
      domain.attachDev?.(device, undefined)
      expect(read(machine, 0x10_0008n)).toBe(0x8080_0008n)
      expect(read(machine, 0x20_0000n)).toBe('blocked, fault 0x15')
    })

    test('endpoints offer PASIDs where they are asked to, and no more than the IOMMU has', () => {
      const qemu = start(riscv)
      const offered = (machine: QemuMachine, source: number): number | undefined => machine.endpoint(source).config.capabilities.pasidWidth
      expect(offered(qemu.machine(), 0x20)).toBe(8)
      const machine = qemu.machine(new Map([[0x20, { pasidWidth: 20 }], [0x21, { pasidWidth: 4 }]]))
      expect([0x20, 0x21, 0x22].map((source) => offered(machine, source))).toEqual([8, 4, undefined])
      expect(offered(start().machine(new Map([[0x20, { pasidWidth: 20 }]])), 0x20)).toBeUndefined()
    })

    test('more DMA than the device\'s queue has room for', () => {
      const machine = start().machine()
      for (let index = 0; index < 2200; index++) {
        const address = 0x20_0000n + BigInt(index * 8)
        if (read(machine, address) !== address) throw new Error(`DMA ${index} went elsewhere`)
      }
    })

    test('stores and register writes are reported; nothing else is', () => {
      const machine = start().machine()
      const events: HardwareEvent[] = []
      const stop = machine.observe((event) => void events.push(event))
      machine.memory.store64(0x1000n, 0n)
      events.length = 0
      machine.memory.store64(0x1000n, 7n)
      machine.registers.write32(0x18, 0)
      machine.registers.read32(0x1c)
      stop()
      machine.memory.store64(0x1000n, 8n)
      expect(events).toEqual([
        { kind: 'store', address: 0x1000n, bytes: 8, before: [0n], after: [7n] },
        { kind: 'register', offset: 0x18, bits: 32, value: 0n },
      ])
    })

    test('what it has no door for is unavailable, and no answer', () => {
      const machine = start().machine()
      const request = { source: 0x20, kind: 'untranslated', address: 0n, access: 'read' } as const
      expect(() => machine.walk(request)).toThrow(UnavailableError)
      expect(() => machine.dma({ ...request, pasid: 1 })).toThrow(/PASID/)
      expect(() => machine.dma({ ...request, kind: 'translate' })).toThrow(UnavailableError)
      expect(() => machine.dma({ ...request, source: 0x30 })).toThrow(/no device with requester id 0x30/)
      expect(() => machine.fail.completions('never')).toThrow(UnavailableError)
      machine.fail.completions('prompt')
      machine.fail.queueError(undefined)
    })

    test('a reset board is a new one, and the machine before is no more', () => {
      const qemu = start()
      const before = qemu.machine()
      createIntelVtd(before, { hostAddressBits: 48 })
      expect(read(before, 0x1000n)).toMatch(/blocked/)
      const machine = qemu.machine()
      expect(read(machine, 0x1000n)).toBe(0x1000n)
      expect(machine.memory.pages.live).toBe(0)
      expect(() => read(before, 0x1000n)).toThrow(QemuError)
    })

    test('a command line that QEMU refuses is quoted', () => {
      const wrong: Board = { ...vtdLegacy, arguments: (facts, folder) => [...vtdLegacy.arguments(facts, folder), '-device', 'no-such-device'] }
      expect(() => start(wrong)).toThrow(/has ended: .*no-such-device/)
    })

    test('a QEMU that ends while it is used is an error, and no hang', () => {
      const qemu = start()
      const machine = qemu.machine()
      expect(read(machine, 0x1000n)).toBe(0x1000n)
      process.kill(qemu.pid, 'SIGKILL')
      expect(() => read(machine, 0x1000n)).toThrow(QemuError)
    })
  })
}
