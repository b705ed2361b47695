// Endpoints: the PCI functions in front of an IOMMU, and the order in which their features go on.
import type { EventStream } from './events.js'

export type EndpointFeature = 'pasid' | 'ats' | 'pri'

/** What the function's configuration space offers. */
export interface EndpointCapabilities {
  /** PASID width in bits; absent: no PASID capability. */
  readonly pasidWidth?: number
  /** Outstanding invalidations that its device TLB takes; absent: no ATS capability. 0 means 32. */
  readonly atsQueueDepth?: number
  readonly pri?: boolean
}

/** The configuration of one function. */
export interface EndpointConfig {
  readonly capabilities: EndpointCapabilities
  readonly enabled: Readonly<Record<EndpointFeature, boolean>>
  /**
   * Enables a feature. False where the function does not have it, and for PASID while ATS is enabled, which PCIe
   * forbids (the PASID enable must not change while ATS is on).
   */
  enable(feature: EndpointFeature): boolean
  /** Disables a feature. False for PASID while ATS is enabled. */
  disable(feature: EndpointFeature): boolean
}

export interface Endpoint {
  readonly source: number
  readonly config: EndpointConfig
}

/** Enables what is asked for. PCIe: the PASID enable must not change while ATS is enabled. */
export const enableFeatures = ({ enable }: EndpointConfig, { pasid, ats }: { readonly pasid: boolean; readonly ats: boolean }): void => {
  if (pasid) enable('pasid')
  if (ats) enable('ats')
}

/** Disables what is on, in the order that PCIe allows. */
export const disableFeatures = ({ enabled, disable }: EndpointConfig): void => {
  if (enabled.ats) disable('ats')
  if (enabled.pasid) disable('pasid')
}

const createEndpoint = (source: number, capabilities: EndpointCapabilities, events: EventStream): Endpoint => {
  const enabled: Record<EndpointFeature, boolean> = { pasid: false, ats: false, pri: false }
  const offers = (feature: EndpointFeature): boolean =>
    feature === 'pasid' ? capabilities.pasidWidth !== undefined
      : feature === 'ats' ? capabilities.atsQueueDepth !== undefined
        : capabilities.pri === true
  const set = (feature: EndpointFeature, on: boolean): boolean => {
    if (!offers(feature) || (feature === 'pasid' && enabled.ats)) return false
    enabled[feature] = on
    events.emit({ kind: 'config', source, feature, on })
    return true
  }
  return {
    source,
    config: { capabilities, enabled, enable: (feature) => set(feature, true), disable: (feature) => set(feature, false) },
  }
}

/** A machine's endpoints, each made when it is first asked for; a source that `capabilities` does not name offers nothing. */
export const createEndpoints = (
  capabilities: ReadonlyMap<number, EndpointCapabilities>, events: EventStream,
): ((source: number) => Endpoint) => {
  const endpoints = new Map<number, Endpoint>()
  return (source) => {
    let found = endpoints.get(source)
    if (found === undefined) endpoints.set(source, (found = createEndpoint(source, capabilities.get(source) ?? {}, events)))
    return found
  }
}
