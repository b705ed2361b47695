// What a driver says where there is no memory for the tables of its hardware.
import { IommuError } from '../errors.js'
import type { ErrorValues } from '../errors.js'

/** Throws ENOMEM: `pages.allocate() ?? noMemory('a CD table')`. */
export const noMemory = (what: string, values?: ErrorValues): never => {
  throw new IommuError('ENOMEM', `no memory for ${what}`, values)
}
