// The op trace: what it records, and that it neither hides nor changes the driver.
import { describe, expect, test } from 'vitest'
import { CONTRACT } from '@iommu/core'
import type { Device, Domain, IommuOps, Manifest } from '@iommu/core'
import { traceOps } from '../src/trace.js'

const placement = { rid: true, pasid: true }
const manifest: Manifest = {
  contract: CONTRACT, name: 'd', hardware: 'h', blocked: placement, identity: placement, paging: placement, sva: placement,
  maxPasids: 8, pasidsOutliveBlockedRid: true, standInBlocks: true, formats: [], hitless: [], limits: {},
}
const device: Device = { name: 'a', requesterId: 1 }

/** A driver that is a class, with members on its prototype, and one that is told what it got. */
const created = (): { ops: IommuOps; got: unknown[] } => {
  const got: unknown[] = []
  class Blocked {
    readonly kind = 'blocked'
    attachDev(each: Device, old: Domain | undefined): void { got.push(each, old) }
    setDevPasid(each: Device, pasid: number, old: Domain | undefined): void { got.push(each, pasid, old) }
  }
  const ops: IommuOps = {
    manifest, owner: Symbol('d'), blockedDomain: new Blocked(),
    probeDevice: () => undefined, deviceGroup: ({ name }) => name,
  }
  return { ops, got }
}

describe('a trace', () => {
  test('records calls with domain, device, PASID and old, and hands the driver its own objects', () => {
    const { ops, got } = created()
    const trace = traceOps(ops)
    const blocked = trace.ops.blockedDomain as Domain
    blocked.attachDev?.(device, blocked)
    blocked.setDevPasid?.(device, 5, undefined)
    expect(trace.calls).toMatchObject([
      { op: 'attachDev', domain: blocked, device, old: blocked, outcome: 'ok' },
      { op: 'setDevPasid', domain: blocked, device, pasid: 5, outcome: 'ok' },
    ])
    expect(got).toEqual([device, ops.blockedDomain, device, 5, undefined])
    expect(trace.inner(blocked)).toBe(ops.blockedDomain)
  })
  test('gives the same wrapper for the same domain, and shows absent members as absent', () => {
    const { ops } = created()
    const trace = traceOps(ops)
    expect(trace.ops.blockedDomain).toBe(trace.ops.blockedDomain)
    expect(trace.ops.identityDomain).toBeUndefined()
    expect(trace.ops.blockedDomain?.free).toBeUndefined()
    expect(trace.ops.manifest).toBe(manifest)
  })
  test('refuses a call before the driver sees it, and can look inside and after one', () => {
    const { ops, got } = created()
    const trace = traceOps(ops)
    const looked: string[] = []
    trace.during(({ op }) => looked.push(`during ${op}`))
    trace.after(({ op }) => looked.push(`after ${op}`))
    trace.refuse(({ op }) => (op === 'attachDev' ? 'ENOMEM' : undefined))
    expect(() => trace.ops.blockedDomain?.attachDev(device, undefined)).toThrow('ENOMEM: attachDev is made to fail')
    expect(got).toEqual([])
    trace.refuse(undefined)
    trace.ops.blockedDomain?.attachDev(device, undefined)
    expect(looked).toEqual(['during attachDev', 'during attachDev', 'after attachDev'])
    expect(trace.calls.map(({ outcome }) => outcome)).toEqual(['ENOMEM', 'ok'])
  })
})
