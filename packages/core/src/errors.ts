// IommuError: the one error that drivers and the core layer throw, with a Linux-style code.

/** The codes that the contract uses; each means what the Linux errno of that name means in the IOMMU core. */
export type IommuErrorCode =
  | 'EINVAL'
  | 'ENOMEM'
  | 'ENOSPC'
  | 'EBUSY'
  | 'ENODEV'
  | 'EOPNOTSUPP'
  | 'EPERM'
  | 'EPROBE_DEFER'
  | 'ERANGE'
  | 'EOVERFLOW'
  | 'EADDRINUSE'
  | 'ENXIO'
  | 'ENOENT'
  | 'EIO'
  | 'ETIMEDOUT'

/** Values that an error names. Numbers and bigints are shown in hex. */
export type ErrorValues = Readonly<Record<string, bigint | number | string>>

const brand = Symbol.for('@iommu/error')

const shown = (value: bigint | number | string): string =>
  typeof value === 'string' ? value : `0x${value.toString(16)}`

/**
 * A refusal or a failure. `EINVAL` from an attach is a soft incompatibility: nothing was changed,
 * and the caller may try another domain (Linux, `attach_dev`).
 */
export class IommuError extends Error {
  override readonly name = 'IommuError'
  readonly code: IommuErrorCode
  readonly values: ErrorValues

  constructor(code: IommuErrorCode, sentence: string, values: ErrorValues = {}) {
    const list = Object.entries(values).map(([key, value]) => `${key} ${shown(value)}`)
    super(`${code}: ${sentence}${list.length > 0 ? ` (${list.join(', ')})` : ''}`)
    this.code = code
    this.values = values
    Object.defineProperty(this, brand, { value: true })
  }
}

/** Whether `error` is an IommuError, of this copy of the package or of another. */
export const isIommuError = (error: unknown): error is IommuError =>
  typeof error === 'object' && error !== null && brand in error

/** The code of `error` where it is an IommuError, else undefined. */
export const errorCode = (error: unknown): IommuErrorCode | undefined =>
  isIommuError(error) ? error.code : undefined
