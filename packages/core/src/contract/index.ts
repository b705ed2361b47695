// The contract: types of drivers, domains and devices.
export * from './device.js'
export * from './domain.js'
export * from './driver.js'
export * from './gather.js'
export * from './later.js'
export * from './manifest.js'
