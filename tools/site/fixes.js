// What usually mends a statement: the command's own sentences, read from its source, since they are no package's public face.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import ts from 'typescript'

const FILE = 'packages/cli/src/statement-fixes.ts'

/** id -> sentence; statements of which nothing general is known are not there. */
export const readFixes = async (root) => {
  const { outputText } = ts.transpileModule(readFileSync(join(root, FILE), 'utf8'), {
    compilerOptions: { target: ts.ScriptTarget.ES2022, module: ts.ModuleKind.ESNext },
  })
  const { statementFixes } = await import(/* @vite-ignore */ `data:text/javascript,${encodeURIComponent(outputText)}`)
  return statementFixes
}
