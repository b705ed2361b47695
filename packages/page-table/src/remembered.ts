// Formats are values: equal options give the same one, derived once.
import type { Format } from './format.js'

/**
 * A factory that remembers what it has made. A driver asks for its formats whenever it is made, and deriving one takes
 * longer than mapping ten thousand pages. What throws is asked again.
 */
export const remembered = /* @__NO_SIDE_EFFECTS__ */ <Options extends object>(
  derive: (options: Options) => Format,
): ((options: Options) => Format) => {
  const known = new Map<string, Format>()
  return (options) => {
    const key = JSON.stringify(options)
    let format = known.get(key)
    if (format === undefined) known.set(key, (format = derive(options)))
    return format
  }
}
