// Films of domain changes: every store and command, and what each DMA could meet after it. Runs in a page too.
export type { Film, FilmedPoint, FilmedProbe, FilmedStore, FilmFinding, Frame, FrameKind, Meeting, Met, PathStep } from './film.js'
export { createStage, play } from './play.js'
export type { PlayOptions, Stage } from './play.js'
export { effort, frameText, KIND, meetingText, metText, movingProbes, pointText, probeText, renderFilm, verdictLines } from './text.js'
export type { FilmPaint } from './text.js'
export type { FilmPoint, Probe, Scene, SceneOptions } from './scene.js'
