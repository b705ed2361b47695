// Assembles the core layer over one driver: checks the contract's number, makes the state, binds the methods to it.
import { IommuError } from '../errors.js'
import type { Domain } from '../contract/domain.js'
import type { IommuOps } from '../contract/driver.js'
import { CONTRACT } from '../contract/manifest.js'
import { attachDevice, attachGroup, detachDevice, detachGroup, replaceGroup } from './attach.js'
import { allocPaging } from './blocking.js'
import type { CoreContext } from './context.js'
import { faceOf, memberOf, stateOf } from './context.js'
import { setDefaultType } from './default-domain.js'
import { deferredAttach } from './deferred.js'
import { dmaApiOf } from './dma-api.js'
import type { Core, CoreOptions } from './face.js'
import {
  claimDevice, claimGroup, releaseDeviceClaim, releaseGroup, unuseDefaultDomain, useDefaultDomain,
} from './ownership.js'
import { attachHandle, replacePasid } from './pasid.js'
import { probeDevice } from './probe.js'
import { releaseDevice } from './release.js'
import { finishReset, prepareReset } from './reset.js'
import type { CoreSteps } from './steps.js'
import { coreSteps } from './steps.js'
import { bindSva, unbindSva } from './sva.js'
import { iovaToPhys } from './unmap.js'

const requireContract = ({ manifest }: IommuOps): void => {
  if (manifest.contract === CONTRACT) return
  throw new IommuError('EINVAL', `${manifest.name} speaks contract ${manifest.contract}, this core speaks ${CONTRACT}`)
}

const createContext = (ops: IommuOps, options: CoreOptions, steps: CoreSteps): CoreContext => ({
  ops,
  defaultType: options.defaultType ?? 'dma',
  dmaApi: options.dmaApi ?? true,
  warn: options.warn ?? (() => {}),
  steps,
  members: new Map(),
  groups: new Map(),
  faces: [],
  spaces: new Map(),
  dmaSpaces: new WeakMap(),
})

/** A driver is promised that no device has a domain any more when it is freed. */
const freeDomain = (core: CoreContext, domain: Domain): void => {
  for (const group of core.groups.values()) {
    const slots = [...group.pasids.values()].map((entry) => entry.domain)
    if ([group.domain, group.defaultDomain, group.blockingDomain, ...slots].includes(domain)) {
      throw new IommuError('EBUSY', `the ${domain.kind} domain is still in use in group ${group.key}`)
    }
  }
  domain.free?.()
}

/** The core made of `steps`. Its methods are closures over the context and never call each other. */
export const assembleCore = (ops: IommuOps, options: CoreOptions, steps: CoreSteps): Core => {
  requireContract(ops)
  const core = createContext(ops, options, steps)
  return {
    ops,
    groups: core.faces,
    probeDevice: (device) => probeDevice(core, device),
    releaseDevice: (device) => releaseDevice(core, device),
    group: (device) => faceOf(core, memberOf(core, device).group),
    allocPaging: (device, request = {}) => allocPaging(core, memberOf(core, device), request),
    freeDomain: (domain) => freeDomain(core, domain),
    attachDevice: (domain, device) => attachDevice(core, device, domain),
    detachDevice: (domain, device) => detachDevice(core, device, domain),
    attachGroup: (domain, group) => attachGroup(core, stateOf(core, group), domain),
    detachGroup: (group) => detachGroup(core, stateOf(core, group)),
    replaceGroup: (domain, group, handle) => replaceGroup(core, stateOf(core, group), domain, handle),
    claimGroup: (group, owner) => claimGroup(core, stateOf(core, group), owner),
    releaseGroup: (group) => releaseGroup(core, stateOf(core, group)),
    claimDevice: (device, owner) => claimDevice(core, device, owner),
    releaseDeviceClaim: (device) => releaseDeviceClaim(core, device),
    useDefaultDomain: (device) => useDefaultDomain(core, device),
    unuseDefaultDomain: (device) => unuseDefaultDomain(core, device),
    setDefaultType: (group, type) => setDefaultType(core, stateOf(core, group), type),
    attachPasid: (domain, device, pasid, handle) => steps.attachPasid(core, device, domain, pasid, handle),
    replacePasid: (domain, device, pasid, handle) => replacePasid(core, device, domain, pasid, handle),
    detachPasid: (domain, device, pasid) => steps.detachPasid(core, device, domain, pasid),
    attachHandle: (group, pasid) => attachHandle(stateOf(core, group), pasid),
    bindSva: (device, space) => bindSva(core, device, space),
    unbindSva: (bond) => unbindSva(core, bond),
    prepareReset: (device) => prepareReset(core, device),
    finishReset: (device) => finishReset(core, device),
    deferredAttach: (device) => deferredAttach(core, device),
    map: (domain, iova, physical, size, access) => steps.map(core, domain, iova, physical, size, access),
    unmap: (domain, iova, size) => steps.unmap(core, domain, iova, size),
    unmapFast: (domain, iova, size, gather) => steps.unmapFast(core, domain, iova, size, gather),
    sync: (domain, gather) => steps.sync(domain, gather),
    iovaToPhys,
    reservedRegions: (device) => memberOf(core, device).regions,
    dma: (device) => dmaApiOf(core, device),
  }
}

export const createCore = (ops: IommuOps, options: CoreOptions = {}): Core => assembleCore(ops, options, coreSteps)
