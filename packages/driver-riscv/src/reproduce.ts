// What the driver writes, without hardware: how a change of a context is planned, and what has to be flushed around it.
// For whoever wants to lay its words beside somebody else's.
export { programming } from './programming/index.js'
export { fenceCommand } from './programming/invalidate.js'
export { usedOfDevice, usedOfProcess } from './programming/plan.js'
export type { Command, PlanStep } from './programming/plan.js'
