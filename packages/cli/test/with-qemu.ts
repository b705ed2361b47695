// Tests that need QEMU: run where there is one, and named in one line where there is none.
import { describe, expect, test } from 'vitest'
import { findInstallation, HOW_TO_GET, REFERENCE_SERIES } from '@iommu/machine-qemu'

const installation = findInstallation()
/** In CI a missing QEMU is an error. */
const required = process.env['IOMMU_REQUIRE_QEMU'] === '1'

/** More is tried where QEMU has been asked for. */
export const PROBES = required ? 2000 : 300

/** `what` is what these tests are about. */
export const describeOnQemu = (what: string, body: (version: string) => void): void => {
  if (installation !== undefined) {
    describe(`${what}, on QEMU ${installation.version}`, () => body(installation.version))
    return
  }
  const line = `${what}: not run, there is no QEMU ${REFERENCE_SERIES} or later: ${HOW_TO_GET}`
  test(line, () => {
    process.stderr.write(`${line}\n`)
    expect(required, line).toBe(false)
  })
}
