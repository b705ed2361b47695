// One short history for each variant, in which it can be told from the core.
import type { Core, Device, Domain } from '@iommu/core'
import type { Bench } from './bench.js'
import { addressSpace, bench, device, readWrite, refusal, together } from './bench.js'
import type { Script } from './fake-driver.js'

/** A short history of which the driver's calls, the answers and the warnings are compared. */
export interface Scene {
  readonly script?: Script
  readonly devices?: readonly Device[]
  readonly options?: Parameters<typeof bench>[2]
  act(bench: Bench, say: (answer: unknown) => void): void
}

const K = 0x1000n
/** The device of a scene that names none. */
export const a = device('a', { ats: true })
const b = device('b')
const [x, y, z] = together('x', 'y', 'z') as [Device, Device, Device]
const direct = device('a', { reserved: [{ start: 0x8000n, length: K, kind: 'direct', access: readWrite }] })
const relaxable = device('a', {
  reserved: [{ start: 0x8000n, length: K, kind: 'direct-relaxable', access: readWrite }],
})
const untrusted = device('a', { untrusted: true })
const owner = {}
const blocked = (of: Bench): Domain => of.driver.ops.blockedDomain as Domain
const identity = (of: Bench): Domain => of.driver.ops.identityDomain as Domain
const twice = (call: () => void): void => {
  call()
  call()
}
const current = (core: Core, of = a): Domain => core.group(of).domain as Domain

const failingAttach: Scene = {
  devices: [x, y, z],
  act: ({ core, driver }, say) => {
    const domain = core.allocPaging(x)
    driver.refuse('attach paging2 y', 'EINVAL')
    say(refusal(() => core.attachGroup(domain, core.group(x))))
  },
}
const failingDetach: Scene = {
  devices: [x, y, z],
  act: ({ core, driver }, say) => {
    core.claimGroup(core.group(x), owner)
    core.releaseGroup(core.group(x))
    core.attachGroup(core.allocPaging(x), core.group(x))
    driver.refuse('attach paging1 y', 'EIO')
    say(refusal(() => core.detachGroup(core.group(x))))
  },
}
const claim: Scene = { act: ({ core }, say) => say(refusal(() => core.claimDevice(a, owner))) }
const claimOverUserDomain: Scene = {
  act: ({ core }, say) => {
    core.attachDevice(core.allocPaging(a), a)
    say(refusal(() => core.claimDevice(a, owner)))
  },
}
const claimAndRelease: Scene = {
  act: ({ core }) => {
    core.claimDevice(a, owner)
    core.releaseDeviceClaim(a)
  },
}
const identityAgainstDriver: Scene = {
  script: { wishes: { a: 'dma' } },
  act: ({ core }, say) => say(refusal(() => core.setDefaultType(core.group(a), 'identity'))),
}
const release: Scene = { act: ({ core }) => core.releaseDevice(a) }
const probe: Scene = { devices: [], act: ({ core }, say) => say(refusal(() => core.probeDevice(a))) }
const reset: Scene = {
  act: ({ core }) => {
    core.attachPasid(core.allocPaging(a), a, 1)
    core.prepareReset(a)
    core.finishReset(a)
  },
}
const onePasid: Scene = {
  act: ({ core }) => {
    const domain = core.allocPaging(a)
    core.attachPasid(domain, a, 1)
    core.detachPasid(domain, a, 1)
  },
}
const failingPasid: Scene = {
  devices: [x, y],
  act: ({ core, driver }, say) => {
    const domain = core.allocPaging(x)
    driver.refuse('pasid paging2 y:1', 'ENOSPC')
    twice(() => say(refusal(() => core.attachPasid(domain, x, 1))))
  },
}
const failingMap: Scene = {
  script: { mapLimit: 2n * K },
  act: ({ core }, say) => say(refusal(() => core.map(current(core), K, K, 5n * K, readWrite))),
}
const queued: Scene = {
  options: { defaultType: 'dma-fq' },
  act: ({ core }, say) => {
    const dma = core.dma(a)
    twice(() => dma.unmap(dma.map(K, K, readWrite), K))
    say(dma.queued)
  },
}

export const scenes: Readonly<Record<string, Scene>> = {
  'old-is-default': { act: ({ core }) => {
    core.attachDevice(core.allocPaging(a), a)
    core.detachGroup(core.group(a))
  } },
  'first-old-is-new': probe,
  'returning-device-on-blocked': { act: ({ core }) => {
    core.releaseDevice(a)
    core.probeDevice(a)
  } },
  'current-attached-again': { act: ({ core }) => core.attachDevice(current(core), a) },
  'foreign-domain-accepted': { act: ({ core }, say) => {
    const foreign = bench({}, [a])
    say(refusal(() => core.attachDevice(foreign.core.allocPaging(a), a)))
    say(foreign.driver.take())
  } },
  'missing-attach-succeeds': { act: ({ core, driver }, say) =>
    say(refusal(() => core.attachDevice({ kind: 'nested', owner: driver.ops.owner }, a))) },
  'missing-attach-replaces': { act: ({ core, driver }, say) =>
    say(refusal(() => core.replaceGroup({ kind: 'nested', owner: driver.ops.owner }, core.group(a)))) },
  'user-domain-displaced': { act: ({ core }, say) => {
    twice(() => say(refusal(() => core.attachDevice(core.allocPaging(a), a))))
  } },
  'device-attach-moves-group': { devices: [x, y], act: ({ core }, say) =>
    say(refusal(() => core.attachDevice(core.allocPaging(x), x))) },
  'detach-to-default': { act: ({ core }) => {
    core.claimDevice(a, owner)
    core.attachDevice(core.allocPaging(a), a)
    core.detachGroup(core.group(a))
  } },
  'detach-by-way-of-blocked': { act: ({ core }) => {
    core.attachDevice(core.allocPaging(a), a)
    core.detachGroup(core.group(a))
  } },
  'detach-throws': failingDetach,
  'detach-any-domain': { act: ({ core }) => {
    core.attachDevice(core.allocPaging(a), a)
    core.detachDevice(core.allocPaging(a), a)
  } },
  'blocked-translates': { act: (of, say) => say(of.core.iovaToPhys(blocked(of), K)) },
  'blocked-maps': { act: (of, say) => {
    say(refusal(() => of.core.map(blocked(of), K, K, K, readWrite)))
    say(of.core.unmap(blocked(of), K, K))
  } },
  'stand-in-for-each-claim': { script: { blocked: false }, act: (of, say) => {
    twice(() => claimAndRelease.act(of, say))
  } },
  'stand-in-for-all-groups': { script: { blocked: false }, devices: [a, b], act: ({ core }) => {
    for (const each of [a, b]) core.claimDevice(each, owner)
  } },
  'identity-has-no-addresses': { act: (of, say) => say(of.core.iovaToPhys(identity(of), K)) },
  'identity-removes-pasids': onePasid,
  'claim-keeps-default': claim,
  'claim-not-exclusive': { act: ({ core }, say) => {
    twice(() => say(refusal(() => core.claimGroup(core.group(a), owner))))
  } },
  'any-owner-shares': { act: ({ core }, say) => {
    for (const other of [owner, {}]) say(refusal(() => core.claimDevice(a, other)))
  } },
  'claim-over-pasids': { act: ({ core }, say) => {
    core.attachPasid(core.allocPaging(a), a, 1)
    say(refusal(() => core.claimDevice(a, owner)))
  } },
  'claim-over-user-domain': claimOverUserDomain,
  'release-stays-blocked': claimAndRelease,
  'group-release-stays-blocked': { act: ({ core }) => {
    core.claimGroup(core.group(a), owner)
    core.releaseGroup(core.group(a))
  } },
  'device-claim-unasked': claimOverUserDomain,
  'native-use-while-owned': { act: ({ core }, say) => {
    core.claimDevice(a, owner)
    say(refusal(() => core.useDefaultDomain(a)))
  } },
  'no-default-is-final': { act: ({ core }, say) => say(refusal(() => core.useDefaultDomain(b))) },
  'failed-claim-owns': { act: ({ core, driver }, say) => {
    driver.refuse('attach blocked', 'EIO')
    say(refusal(() => core.claimDevice(a, owner)))
    say(core.group(a).ownerCount)
  } },
  'stand-in-trusted': { ...claim, script: { blocked: false, standInBlocks: false } },
  'new-member-on-default': { devices: [x], act: ({ core }) => {
    core.attachDevice(core.allocPaging(x), x)
    core.probeDevice(y)
  } },
  'first-member-only': { devices: [x, y], act: ({ core }) => core.claimGroup(core.group(x), owner) },
  'driver-wish-ignored': { ...probe, script: { wishes: { a: 'identity' } } },
  'conflict-goes-to-dma': { devices: [x, y], script: { wishes: { x: 'dma', y: 'identity' } }, act: ({ core }, say) =>
    say(refusal(() => core.setDefaultType(core.group(x), 'identity'))) },
  'untrusted-trusted': { devices: [untrusted], options: { defaultType: 'identity' }, act: ({ core }, say) =>
    say(core.group(untrusted).defaultType) },
  'asked-type-wins': identityAgainstDriver,
  'request-beats-driver': identityAgainstDriver,
  'static-default-only-against-identity': { script: { staticDefault: 'platform' }, act: ({ core }, say) =>
    say(refusal(() => core.setDefaultType(core.group(a), 'dma'))) },
  'no-dma-api-overlooked': { ...probe, options: { dmaApi: false } },
  'no-fallback-to-dma': { ...probe, script: { identity: false }, options: { defaultType: 'identity' } },
  'pasid-wish-missing': probe,
  'pasid-wish-insisted-on': { ...probe, script: { pasidDefaults: false } },
  'pasid-wish-dropped-for-any-error': { devices: [], act: ({ core, driver }, say) => {
    driver.refuse('alloc paging+pasid', 'ENOMEM')
    say(refusal(() => core.probeDevice(a)))
  } },
  'static-default-ignored': { ...probe, script: { staticDefault: 'platform' } },
  'rollback-missing': failingAttach,
  'rollback-touches-failing': failingAttach,
  'failing-member-not-blocked': failingDetach,
  'must-succeed-gives-up': failingDetach,
  'failed-probe-kept': { devices: [], act: ({ core, driver }, say) => {
    driver.refuse('attach paging1', 'ENOMEM')
    say(refusal(() => core.probeDevice(a)))
  } },
  'release-before-park': release,
  'release-without-park': release,
  'deferred-device-parked': { ...release, script: { deferred: true } },
  'direct-device-parked-blocked': { devices: [direct], act: ({ core }) => core.releaseDevice(direct) },
  'deferral-ignored': { ...probe, script: { deferred: true } },
  'deferred-old-is-default': { script: { deferred: true }, act: ({ core }) => core.deferredAttach(a) },
  'direct-after-attach': { devices: [direct], act: () => {} },
  'relaxable-left-out': { devices: [relaxable], act: () => {} },
  'direct-device-blocked': { devices: [direct], act: ({ core }, say) =>
    say(refusal(() => core.claimDevice(direct, owner))) },
  'direct-device-on-stand-in': { script: { blocked: false }, devices: [direct], act: ({ core }, say) =>
    say(refusal(() => core.claimDevice(direct, owner))) },
  'reset-pasids-first': reset,
  'reset-restores-pasids-first': reset,
  'reset-keeps-pasids': reset,
  'attach-during-reset': { act: ({ core }, say) => {
    core.prepareReset(a)
    say(refusal(() => core.attachDevice(core.allocPaging(a), a)))
  } },
  'release-waits-for-reset': { act: ({ core }, say) => {
    core.claimGroup(core.group(a), owner)
    core.prepareReset(a)
    say(refusal(() => core.releaseGroup(core.group(a))))
  } },
  'reset-restores-removed-pasids': { act: ({ core }) => {
    const domain = core.allocPaging(a)
    core.attachPasid(domain, a, 1)
    core.prepareReset(a)
    core.detachPasid(domain, a, 1)
    core.finishReset(a)
  } },
  'inner-reset-ends-all': { act: ({ core }) => {
    core.prepareReset(a)
    core.prepareReset(a)
    core.finishReset(a)
  } },
  'pasid-without-way-back': { script: { blocked: 'rid' }, act: ({ core }, say) =>
    say(refusal(() => core.attachPasid(core.allocPaging(a), a, 1))) },
  'pasid-zero-accepted': { act: ({ core }, say) => say(refusal(() => core.attachPasid(core.allocPaging(a), a, 0))) },
  'pasid-limit-unchecked': { act: ({ core }, say) => say(refusal(() => core.attachPasid(core.allocPaging(a), a, 8))) },
  'pasid-taken-over': { act: ({ core }, say) => {
    twice(() => say(refusal(() => core.attachPasid(core.allocPaging(a), a, 1))))
  } },
  'pasid-removed-from-nothing': onePasid,
  'pasid-not-removed': onePasid,
  'pasid-removed-from-first-member': { devices: [x, y], act: ({ core }) => {
    const domain = core.allocPaging(x)
    core.attachPasid(domain, x, 1)
    core.detachPasid(domain, x, 1)
  } },
  'pasidless-member-set': { script: { maxPasids: { x: 0, y: 8 } }, devices: [x, y], act: ({ core }, say) =>
    say(refusal(() => core.attachPasid(core.allocPaging(x), x, 1))) },
  'pasid-rollback-touches-failing': failingPasid,
  'pasid-rollback-missing': failingPasid,
  'pasid-rollback-removes': { devices: [x, y], act: ({ core, driver }, say) => {
    core.attachPasid(core.allocPaging(x), x, 1, {})
    driver.refuse('pasid paging3 y:1', 'ENOSPC')
    say(refusal(() => core.replacePasid(core.allocPaging(x), x, 1, {})))
  } },
  'pasid-slot-kept': failingPasid,
  'replace-attaches': { act: ({ core }, say) =>
    say(refusal(() => core.replacePasid(core.allocPaging(a), a, 1, {}))) },
  'handle-reused': { act: ({ core }, say) => {
    const handle = {}
    core.attachPasid(core.allocPaging(a), a, 1, handle)
    say(refusal(() => core.replacePasid(core.allocPaging(a), a, 1, handle)))
  } },
  'new-handle-sets-domain': { act: ({ core }) => {
    const domain = core.allocPaging(a)
    core.attachPasid(domain, a, 1, {})
    core.replacePasid(domain, a, 1, {})
  } },
  'pasid-visible-early': { act: ({ core, driver }, say) => {
    driver.during('pasid paging2', () => say(refusal(() => core.attachHandle(core.group(a), 1))))
    core.attachPasid(core.allocPaging(a), a, 1, {})
  } },
  'pasid-visible-when-first-set': { devices: [x, y], act: ({ core, driver }, say) => {
    driver.during('pasid paging2', () => say(refusal(() => core.attachHandle(core.group(x), 1))))
    core.attachPasid(core.allocPaging(x), x, 1, {})
  } },
  'rid-switch-drops-pasids': { act: ({ core }) => {
    const domain = core.allocPaging(a)
    core.attachPasid(domain, a, 1)
    core.attachDevice(domain, a)
  } },
  'release-over-pasids': { act: ({ core }) => {
    core.claimDevice(a, owner)
    core.attachPasid(core.allocPaging(a), a, 1)
    core.releaseDeviceClaim(a)
  } },
  'second-bind-attaches': { act: ({ core }, say) => {
    const space = addressSpace('p')
    twice(() => say(refusal(() => core.bindSva(a, space))))
  } },
  'pasid-for-each-device': { devices: [a, b], act: ({ core }, say) => {
    const space = addressSpace('p')
    for (const each of [a, b]) say(core.bindSva(each, space).pasid)
  } },
  'sva-limit-unchecked': { script: { maxPasids: { a: 8, b: 2 } }, devices: [a, b], act: ({ core }, say) => {
    core.bindSva(a, addressSpace('p'))
    const space = addressSpace('q')
    core.bindSva(a, space)
    say(refusal(() => core.bindSva(b, space)))
  } },
  'pasids-never-run-out': { script: { maxPasids: 2 }, act: ({ core }, say) => {
    for (const name of ['p', 'q']) say(refusal(() => core.bindSva(a, addressSpace(name))))
  } },
  'unaligned-map-passed-on': { act: ({ core }, say) =>
    say(refusal(() => core.map(current(core), 0x1800n, K, K, readWrite))) },
  'failed-map-left': failingMap,
  'failed-map-unmaps-all': failingMap,
  'failed-map-unmaps-one-more': failingMap,
  'page-size-by-device-address': { act: ({ core }, say) =>
    say(refusal(() => core.map(current(core), 0x20_0000n, K, 0x20_0000n, readWrite))) },
  'failed-sync-unmaps-first-run': { act: ({ core, driver }, say) => {
    driver.refuse('syncmap', 'EIO')
    say(refusal(() => core.map(current(core), 0x20_0000n - K, 0x20_0000n - K, 0x20_0000n + K, readWrite)))
  } },
  'failed-sync-left': { act: ({ core, driver }, say) => {
    driver.refuse('syncmap', 'EIO')
    say(refusal(() => core.map(current(core), K, K, K, readWrite)))
  } },
  'queued-address-reused': queued,
  'queued-unmap-flushes': queued,
  'ungathered-not-synced': { script: { ignoresGather: true }, act: ({ core }) => {
    core.map(current(core), K, K, K, readWrite)
    core.unmap(current(core), K, K)
  } },
  'ungathered-synced-at-its-start': { script: { ignoresGather: true }, act: ({ core }) => {
    core.map(current(core), K, K, 2n * K, readWrite)
    core.unmap(current(core), K, 2n * K)
  } },
}
