// The machine on a running QEMU: DMA through it, resets, and what is said when QEMU ends.
import { afterAll, describe, expect, test } from 'vitest'
import { createArmSmmuv3 } from '@iommu/driver-arm-smmuv3'
import { createIntelVtd } from '@iommu/driver-intel-vtd'
import type { HardwareEvent } from '@iommu/hardware'
import { findInstallation, HOW_TO_GET, QemuError, REFERENCE_SERIES, smmuv3, startQemu, UnavailableError, vtdLegacy } from '@iommu/machine-qemu'
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
