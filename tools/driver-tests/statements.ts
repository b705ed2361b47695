// What is so with every driver, in steps that are the same for all; a driver's tests give devices, formats and sentences.
import { errorCode } from '@iommu/core'
import type { Device } from '@iommu/core'
import { outcomeKey } from '@iommu/hardware'
import type { DmaRequest, TestMachine } from '@iommu/hardware'
import type { CpuAddressSpace } from '@iommu/page-table'
import { expect } from 'vitest'
import { requestsOf } from './dma.js'
import { map, unmap } from './scene.js'
import type { Scene } from './scene.js'

/** Identity is one object; requests pass through it as they are, and are blocked again by the empty domain that follows. */
export const passesAndIsLeft = ({ machine, driver, paging }: Scene<TestMachine>, device: Device, format?: string): void => {
  const { identityDomain } = driver
  const request = requestsOf(device.requesterId)(0x1234_5000n, { access: 'write' })
  expect([identityDomain?.kind, Object.isFrozen(identityDomain)]).toEqual(['identity', true])
  identityDomain?.attachDev(device, undefined)
  expect(machine.dma(request)).toMatchObject({ address: 0x1234_5000n })
  paging(format, device).attachDev(device, identityDomain)
  expect(machine.dma(request).result).toBe('blocked')
}

/** DMA under every requester id of a device goes where the device goes. */
export const aliasesGoAlong = ({ machine, driver, readable }: Scene<TestMachine>, device: Device, format?: string): void => {
  const ids = [device.requesterId, ...device.aliases ?? []]
  const domain = readable(format, device)
  domain.attachDev(device, undefined)
  for (const id of ids) expect(machine.dma(requestsOf(id)(0x10_0000n))).toMatchObject({ address: 0x80_0000n })
  driver.blockedDomain?.attachDev(device, domain)
  for (const id of ids) expect(machine.dma(requestsOf(id)(0x10_0000n)).result).toBe('blocked')
}

/** An unmap that hardware never completes is warned of, once. */
export const unmapIsWarnedOf = (
  { machine, warnings, paging }: Scene<TestMachine>, device: Device, format: string | undefined, warning: RegExp,
): void => {
  const domain = paging(format, device)
  domain.attachDev(device, undefined)
  map(domain, 0x10_0000n, 1)
  machine.fail.completions('never')
  unmap(domain, 0x10_0000n, 1)
  expect(warnings).toEqual([expect.stringMatching(warning)])
}

/** A page of a process is there for its devices until its CPU unmaps it; what hardware is told then, as `told` has it. */
export const unmappedByCpu = <S extends Scene<TestMachine> & { readonly cpu: CpuAddressSpace }>(
  scene: S, request: DmaRequest, told: (scene: S, act: () => void) => string[],
): string[] => {
  const { machine, cpu } = scene
  cpu.map(request.address, 0x90_0000n)
  expect(machine.dma(request)).toMatchObject({ address: 0x90_0000n })
  const lines = told(scene, () => cpu.unmap(request.address))
  expect(machine.dma(request).result).toBe('blocked')
  return lines
}

/** A switch that hardware never completes is an error, and no hang; once hardware completes again it is made. */
export const switchIsNoHang = (
  { machine, readable }: Scene<TestMachine>, device: Device, [before, after]: readonly [string, string], sentence: string,
): void => {
  const request = requestsOf(device.requesterId)(0x10_0000n)
  const [one, two] = [readable(before, device), readable(after, device)]
  one.attachDev(device, undefined)
  const old = machine.dma(request)
  machine.fail.completions('never')
  expect(() => two.attachDev(device, one)).toThrow(sentence)
  machine.fail.completions('prompt')
  two.attachDev(device, one)
  // The same page, by another domain's tables.
  expect([old, machine.dma(request)]).toMatchObject([{ address: 0x80_0000n }, { address: 0x80_0000n }])
  expect(outcomeKey(machine.dma(request))).not.toBe(outcomeKey(old))
}

/** A device whose own TLB does not answer is not switched, and can be blocked all the same; once it answers, all is as before. */
export const silentDeviceIsBlocked = (
  { machine, driver, warnings, readable }: Scene<TestMachine>, device: Device, format: string, sentence: string,
): void => {
  const request = requestsOf(device.requesterId)(0x10_0000n)
  const domain = readable(format, device)
  domain.attachDev(device, undefined)
  machine.fail.deviceTlb(device.requesterId, 'times out')
  expect(() => driver.identityDomain?.attachDev(device, domain)).toThrow(sentence)
  driver.blockedDomain?.attachDev(device, domain)
  expect(machine.walk(request).outcome.result).toBe('blocked')
  expect(warnings).toEqual([expect.stringContaining(`${device.name} is blocked in the tables`)])
  machine.fail.deviceTlb(device.requesterId, 'answers')
  domain.attachDev(device, undefined)
  expect(machine.dma(request).result).toBe('translated')
}

/** A translation that the device has in its own TLB is gone once the device is blocked. */
export const keptTranslationGoes = ({ machine, driver, readable }: Scene<TestMachine>, device: Device, format: string): void => {
  const request = requestsOf(device.requesterId)(0x10_0000n, { kind: 'translate' })
  const domain = readable(format, device)
  domain.attachDev(device, undefined)
  expect(machine.dma(request)).toMatchObject({ address: 0x80_0000n })
  expect(machine.outcomes(request)).toHaveLength(2)
  driver.blockedDomain?.attachDev(device, domain)
  expect(machine.outcomes(request)).toMatchObject([{ result: 'blocked' }])
}

/** What comes of a probe, and of the release after it, while the n-th allocation finds no memory: for each n in turn. */
export const probesWithoutMemory = ({ machine, driver }: Scene<TestMachine>, device: Device, ns: readonly number[]): string[] => ns.map((n) => {
  machine.fail.allocation(n)
  try {
    driver.probeDevice(device)
    driver.releaseDevice?.(device)
    return 'ok'
  } catch (error) {
    return errorCode(error) ?? String(error)
  } finally {
    machine.fail.allocation(undefined)
  }
})
