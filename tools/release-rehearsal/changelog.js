// How a changelog is written: what a changeset says as it says it, and one line for all packages of ours that a release needs anew.

/** @param {{ summary: string }} changeset */
export const getReleaseLine = ({ summary }) => {
  const [first = '', ...rest] = summary.trim().split('\n').map((line) => line.trimEnd())
  return `- ${first}${rest.map((line) => `\n  ${line}`).join('')}`
}

/** @param {readonly { name: string, newVersion: string }[]} updated */
export const getDependencyReleaseLine = (_changesets, updated) =>
  (updated.length === 0 ? '' : `- Needs ${updated.map(({ name, newVersion }) => `${name} ${newVersion}`).join(', ')}.`)
