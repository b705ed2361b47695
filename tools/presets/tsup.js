// How every library is built: ESM, source maps, declarations that still name the packages they import.
import { readFileSync } from 'node:fs'
import ts from 'typescript'

/** What a bundler must take for an effect: a getter may be read, a text made of an object, a function called. */
const MAY_ACT = new Set([
  ts.SyntaxKind.CallExpression, ts.SyntaxKind.NewExpression, ts.SyntaxKind.PropertyAccessExpression, ts.SyntaxKind.ElementAccessExpression,
  ts.SyntaxKind.SpreadAssignment, ts.SyntaxKind.SpreadElement, ts.SyntaxKind.ComputedPropertyName, ts.SyntaxKind.TemplateExpression,
])

/** Whether an expression seems to do something when it is worked out, and is worked out there and then. */
const seemsToAct = (expression) => {
  const look = (node) => !ts.isFunctionLike(node) && !ts.isClassLike(node) && (MAY_ACT.has(node.kind) || ts.forEachChild(node, look) === true)
  return look(expression)
}
const waits = (expression) => {
  const look = (node) => !ts.isFunctionLike(node) && (ts.isAwaitExpression(node) || ts.forEachChild(node, look) === true)
  return look(expression)
}

/**
 * Marks a module's constants as pure, which is what `sideEffects: false` says of each module in the sources: a library is built into a few
 * files, of which a bundler would otherwise keep every layout, format and array that is in one with what is needed.
 */
export const marked = (text) => {
  const source = ts.createSourceFile('module.ts', text, ts.ScriptTarget.Latest, false)
  const expressions = source.statements.filter(ts.isVariableStatement)
    .flatMap(({ declarationList }) => declarationList.declarations)
    .filter(({ name, initializer }) => initializer !== undefined && ts.isIdentifier(name) && seemsToAct(initializer) && !waits(initializer))
    .map(({ initializer }) => initializer)
  return expressions.reverse().reduce((all, each) => {
    const [start, end] = [each.getStart(source), each.end]
    return `${all.slice(0, start)}/* @__PURE__ */ (() => (${all.slice(start, end)}))()${all.slice(end)}`
  }, text)
}

const pureConstants = {
  name: 'pure-constants',
  setup: ({ onLoad }) => onLoad({ filter: /\/src\/.*\.ts$/ }, ({ path }) => ({ contents: marked(readFileSync(path, 'utf8')), loader: 'ts' })),
}

/**
 * @param {Record<string, string>} entry output name -> source file
 * @returns {import('tsup').Options}
 */
export const library = (entry) => ({
  entry,
  format: ['esm'],
  target: 'node20',
  sourcemap: true,
  clean: true,
  treeshake: true,
  splitting: true,
  esbuildPlugins: [pureConstants],
  // tsup 8.5 sets baseUrl for its declaration build, which TypeScript 6 deprecates (egoist/tsup#1388).
  dts: { compilerOptions: { ignoreDeprecations: '6.0' } },
})
