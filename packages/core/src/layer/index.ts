// The core layer: `createCore`, and the types of its face.
export { createCore } from './core.js'
export type * from './face.js'
