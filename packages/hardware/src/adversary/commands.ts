// Commands: without effect when issued; at completion what they name and what was read before their issue is gone.
import type { Command, Drop, Time } from './vendor.js'

/**
 * `vendor`: as the vendor's manual orders kinds of commands; `ordered`: each is complete before the next takes
 * effect; `unordered`: nothing but a completion or a fence orders them.
 */
export type QueueOrder = 'vendor' | 'ordered' | 'unordered'

export interface Commands {
  issue(command: Command, now: Time): void
  /** The driver is told that everything issued is complete. */
  complete(): void
  readonly pending: number
}

/** `finish` carries a drop out, with its time of issue. */
export const createCommands = (
  order: QueueOrder, isOrdered: (earlier: Command, later: Command) => boolean, finish: (drop: Drop, issue: Time) => void,
): Commands => {
  let issued: { readonly command: Command; readonly at: Time }[] = []
  let fenced = false
  const end = (which: (command: Command) => boolean): void => {
    const ending = issued.filter(({ command }) => which(command))
    issued = issued.filter(({ command }) => !which(command))
    for (const { command, at } of ending) if (command.drop !== undefined) finish(command.drop, at)
  }
  return {
    issue(command, now) {
      if (fenced || order === 'ordered') end(() => true)
      else if (order === 'vendor') end((earlier) => isOrdered(earlier, command))
      fenced = command.fences
      if (command.drop !== undefined) issued.push({ command, at: now })
    },
    complete() {
      end(() => true)
      fenced = false
    },
    get pending() { return issued.length },
  }
}
