// Random walks over the whole API: with the suite's own numbers, or with fast-check handed in.
export { checkWalks } from './fast-check.js'
export type { Arbitrary, CheckedCommand, FastCheck } from './fast-check.js'
export type { Command } from './command.js'
export type { Model } from './model.js'
export { renderMisstep, runWalks, start } from './walk.js'
export type { Misstep, Start, Walked, WalkOptions, WalksOptions } from './walk.js'
