// Chunks as classic scripts: a page opened from a disk may not load modules, and this one is to work from anywhere.
//
// The bundler writes CommonJS chunks. Each becomes a script that defines itself in one registry; what a chunk requires is
// in the page's head or was loaded with it, and a dynamic import adds script elements and waits for them.
import type { Plugin } from 'vite'
import { minifySync } from 'vite'

/** The registry, before all chunks. `load` may be asked for the same chunk twice. */
const REGISTRY = `(function () {
  var made = {}, known = {}, waiting = {}, base = document.currentScript.src.replace(/[^/]*$/, '');
  function require(name) {
    name = name.replace(/^.*\\//, '');
    if (made[name]) return made[name].exports;
    var module = made[name] = { exports: {} };
    known[name](require, module.exports, module);
    return module.exports;
  }
  function script(name) {
    if (known[name]) return Promise.resolve();
    return waiting[name] || (waiting[name] = new Promise(function (done, failed) {
      var element = document.createElement('script');
      element.src = base + name;
      element.onload = function () { done(); };
      element.onerror = function () { delete waiting[name]; failed(new Error('the page could not load its part ' + name)); };
      document.head.appendChild(element);
    }));
  }
  window.__chunks = {
    define: function (name, make) { known[name] = make; },
    start: require,
    load: function (names) {
      return Promise.all(names.map(script)).then(function () { return require(names[0]); });
    }
  };
})();`

interface Chunk {
  readonly fileName: string
  readonly isEntry: boolean
  readonly imports: readonly string[]
  code: string
}

/** A chunk and everything that it requires, itself first. */
const closure = (chunks: ReadonlyMap<string, Chunk>, name: string): string[] => {
  const found = new Set<string>()
  const visit = (each: string): void => {
    if (found.has(each)) return
    found.add(each)
    chunks.get(each)?.imports.forEach(visit)
  }
  visit(name)
  return [...found]
}

const short = (fileName: string): string => fileName.replace(/^.*\//, '')

/** Where the bundler writes `import()` as a promise that requires a chunk. */
const DYNAMIC = /Promise\.resolve\(\)\.then\(\(\) => ([\w$.(]*)require\(["']([^"']+)["']\)/g

/**
 * Writes every chunk as a classic script, and index.html from `page`, in which `<!--head-->` is where styles and scripts go.
 * @param page the text of the page
 */
export const classicScripts = (page: string): Plugin => ({
  name: 'classic-scripts',
  // Styles are emitted by then.
  enforce: 'post',
  generateBundle(_options, bundle) {
    const chunks = new Map(Object.values(bundle).flatMap((each) => (each.type === 'chunk' ? [[each.fileName, each as Chunk] as const] : [])))
    const byShort = new Map([...chunks.keys()].map((name) => [short(name), name]))
    const entry = [...chunks.values()].find(({ isEntry }) => isEntry)
    if (entry === undefined) throw new Error('the bundle has no entry')
    for (const chunk of chunks.values()) {
      const loading = chunk.code.replace(DYNAMIC, (_whole, wrap: string, target: string) => {
        const wanted = byShort.get(short(target))
        if (wanted === undefined) throw new Error(`${chunk.fileName} imports ${target}, which is no chunk`)
        return `__chunks.load(${JSON.stringify(closure(chunks, wanted).map(short))}).then((loaded) => ${wrap}loaded`
      })
      const start = chunk === entry ? `\n__chunks.start(${JSON.stringify(short(chunk.fileName))});` : ''
      const text = `__chunks.define(${JSON.stringify(short(chunk.fileName))}, function (require, exports, module) {\n${loading}\n});${start}`
      const { code, errors } = minifySync(chunk.fileName, text, { module: false })
      if (errors.length > 0) throw new Error(`${chunk.fileName}: ${errors[0]?.message}`)
      chunk.code = code
    }
    const first = closure(chunks, entry.fileName).reverse()
    const styles = Object.keys(bundle).filter((name) => name.endsWith('.css'))
    this.emitFile({ type: 'asset', fileName: 'assets/registry.js', source: minifySync('registry.js', REGISTRY, { module: false }).code })
    this.emitFile({
      type: 'asset', fileName: 'index.html',
      source: page.replace('<!--head-->', [
        ...styles.map((name) => `<link rel="stylesheet" href="./${name}">`),
        ...['assets/registry.js', ...first].map((name) => `<script defer src="./${name}"></script>`),
      ].join('\n    ')),
    })
  },
})
