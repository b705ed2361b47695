// What is unpacked of each series, and when an earlier setup has unpacked too little.
import { describe, expect, test } from 'vitest'
import { EMULATORS, REFERENCE_SERIES } from '@iommu/machine-qemu'
import { lacking, packagesOf, seriesList } from '../series.js'

const [reference, , oldest] = seriesList
/** An installation with some emulators. */
const having = (...emulators: readonly string[]): { command: (emulator: string) => object | undefined } =>
  ({ command: (emulator) => (emulators.includes(emulator) ? {} : undefined) })

describe('what is unpacked', () => {
  test('of the reference series is every emulator that boards run on', () => {
    expect(reference?.series).toBe(REFERENCE_SERIES)
    expect(reference?.emulators).toEqual([...EMULATORS])
    expect(packagesOf(reference as object)).toEqual(['qemu-system-x86', 'qemu-system-arm', 'qemu-system-riscv'])
  })

  test('of 7.2 has no RISC-V, whose IOMMU came later', () => {
    expect(packagesOf(oldest as object)).toEqual(['qemu-system-x86', 'qemu-system-arm'])
  })
})

describe('what an installation lacks', () => {
  test('is everything where there is none', () => {
    expect(lacking(reference as object, undefined)).toEqual([...EMULATORS])
  })

  test('is what an earlier setup did not unpack, so that it is completed', () => {
    expect(lacking(reference as object, having('qemu-system-x86_64', 'qemu-system-aarch64'))).toEqual(['qemu-system-riscv64'])
    expect(lacking(reference as object, having(...EMULATORS))).toEqual([])
    expect(lacking(oldest as object, having('qemu-system-x86_64', 'qemu-system-aarch64'))).toEqual([])
  })
})
