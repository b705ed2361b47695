// What was done on the board, as the link holds it: "0:paging;0:identity" is point 0, first paging, then identity.
import type { Manifest } from '@iommu/core'

export interface Operation {
  /** Index of the point on the board. */
  readonly point: number
  readonly state: string
}

/** What a first visitor sees: a domain, and another one in its place. */
export const storyOn = ({ identity, blocked, paging }: Manifest): readonly Operation[] => {
  const [first, last] = [...(paging.rid ? ['paging'] : []), ...(identity.rid ? ['identity'] : []), ...(blocked.rid ? ['blocked'] : [])]
  return [first, last ?? first].flatMap((state) => (state === undefined ? [] : [{ point: 0, state }]))
}

export const readOperations = (text: string): Operation[] =>
  text.split(';').flatMap((each) => {
    const [, point, state] = /^(\d{1,3}):([\w-]{1,40})$/.exec(each.trim()) ?? []
    return point === undefined || state === undefined ? [] : [{ point: Number(point), state }]
  })

export const writeOperations = (operations: readonly Operation[]): string =>
  operations.map(({ point, state }) => `${point}:${state}`).join(';')
