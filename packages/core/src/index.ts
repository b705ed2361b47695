// The IOMMU ops contract, and the core layer that calls it.
export * from './contract/index.js'
export * from './errors.js'
export * from './layer/index.js'
