// Which QEMU a verb runs on, and what is said where there is none.
import { findInstallation, findInstallations, HOW_TO_GET, REFERENCE_SERIES } from '@iommu/machine-qemu'
import type { Installation } from '@iommu/machine-qemu'
import { EnvironmentError } from '../io.js'

/** The newest QEMU of a series ("10.0"); the reference series or a later one where none is named. Throws EnvironmentError. */
export const chooseQemu = (series: string | undefined): Installation => {
  const found = findInstallation(series)
  if (found !== undefined) return found
  const wanted = series === undefined ? `${REFERENCE_SERIES} or later` : series
  const here = findInstallations().map(({ version }) => version)
  throw new EnvironmentError(`there is no QEMU ${wanted}${here.length === 0 ? '' : `, only ${here.join(', ')}`}: ${HOW_TO_GET}`)
}
