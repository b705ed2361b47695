// The source of every statement's case, cut out of the suite's files by its id.
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import ts from 'typescript'

const named = (node, name) => node.properties.find((each) => each.name !== undefined && ts.isIdentifier(each.name) && each.name.text === name)

const idOf = (node) => {
  const id = named(node, 'id')
  return id !== undefined && ts.isPropertyAssignment(id) && ts.isStringLiteral(id.initializer) ? id.initializer.text : undefined
}

/** As it stands in the file, moved to the left. */
const dedent = (text, column) => text.replaceAll(new RegExp(`\\n {1,${column}}`, 'g'), '\n')

/** id -> `{ file, line, text }`, the statement's declaration. Statements that a function makes are where its id is written. */
export const readCases = (root) => {
  const folder = 'packages/conformance/src/statements'
  const cases = new Map()
  for (const name of readdirSync(join(root, folder))) {
    const file = ts.createSourceFile(name, readFileSync(join(root, folder, name), 'utf8'), ts.ScriptTarget.ES2022, true)
    const visit = (node) => {
      const id = ts.isObjectLiteralExpression(node) ? idOf(node) : undefined
      if (id !== undefined) {
        const { line, character } = file.getLineAndCharacterOfPosition(node.getStart())
        cases.set(id, { file: `${folder}/${name}`, line: line + 1, text: dedent(node.getText(), character) })
      }
      ts.forEachChild(node, visit)
    }
    visit(file)
  }
  return cases
}
