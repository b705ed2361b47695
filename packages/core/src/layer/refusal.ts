// Tells a driver's refusal from a bug, and the core's own refusals from each other.
import { IommuError, isIommuError } from '../errors.js'
import type { Device } from '../contract/device.js'
import type { Domain } from '../contract/domain.js'

/** A method that answers nothing may be written `async`, which types allow: it would count as done before it is. */
export const refusePromise = (answer: unknown): void => {
  if (!(answer instanceof Promise)) return
  answer.catch(() => undefined)
  throw new TypeError('the driver answered with a promise: the contract is synchronous, a call is done when it returns')
}

/**
 * Runs a call into a driver. An IommuError is an answer and is returned; any other exception is a bug of the
 * driver, which no rollback could make good, and goes on to whoever called the core.
 */
export const attempt = (call: () => unknown): IommuError | undefined => {
  try {
    refusePromise(call())
    return undefined
  } catch (error) {
    if (isIommuError(error)) return error
    throw error
  }
}

export const throwIf = (refused: IommuError | undefined): void => {
  if (refused) throw refused
}

export const unknownDevice = (device: Device): IommuError =>
  new IommuError('ENODEV', `${device.name} has not been probed`)

export const foreignDomain = (domain: Domain, device: string): IommuError =>
  new IommuError('EINVAL', `the ${domain.kind} domain was not made by the driver of ${device}`)

/** Linux: attaches in the middle of `pci_dev_reset_iommu_prepare` and `_done` wait for the latter. */
export const inRecovery = (group: string): IommuError =>
  new IommuError('EBUSY', `a device of group ${group} is being reset`)
