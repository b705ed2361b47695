// The suite on QEMU: everything that QEMU can answer passes, and what fails there is listed.
import { expect, test } from 'vitest'
import { findInstallation } from '@iommu/machine-qemu'
import type { Installation } from '@iommu/machine-qemu'
import { driversOnQemu } from '../src/qemu/backends.js'
import { conformOnQemu } from '../src/qemu/conform.js'
import { describeOnQemu } from './with-qemu.js'

describeOnQemu('the suite on QEMU', (version) => {
  test.each([...driversOnQemu])('%s', (driver) => {
    const { totals, results } = conformOnQemu(driver, findInstallation() as Installation, [])
    expect(results.filter(({ status }) => status === 'failed').map(({ statement, backend, reason }) => `${statement} on ${backend}: ${reason ?? ''}`)).toEqual([])
    expect(totals.passed).toBeGreaterThan(60)
    for (const { status, reason, machine } of results) {
      expect(machine).toBe(`QEMU ${version}`)
      // Never skipped silently.
      if (status !== 'passed') expect(reason).toMatch(/./)
    }
  }, 300_000)
})
