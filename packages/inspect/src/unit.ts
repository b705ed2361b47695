// The unit behind a capture, made once: people ask one capture many questions.
import type { Capture } from './capture.js'
import type { Unit } from './vendor.js'

const units = new WeakMap<Capture, Unit>()

/** Throws InputError where a register is missing. */
export const unitOf = (capture: Capture): Unit => {
  const known = units.get(capture)
  if (known !== undefined) return known
  const unit = capture.vendor.createUnit(capture)
  units.set(capture, unit)
  return unit
}
