// Serves a folder of static files to this machine alone.
import { createReadStream } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { extname, join, normalize, sep } from 'node:path'
import { statOf } from './capture-folder.js'

const TYPES: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8', '.js': 'text/javascript; charset=utf-8', '.css': 'text/css; charset=utf-8',
}

export interface ServedPage {
  /** "http://127.0.0.1:4173/" */
  readonly address: string
  close(): Promise<void>
}

/** Undefined for what is no file of the folder. */
const fileAt = (folder: string, url: string): string | undefined => {
  const [path = ''] = url.split(/[?#]/)
  let name: string
  try {
    name = normalize(decodeURIComponent(path))
  } catch {
    return undefined
  }
  const file = join(folder, name.endsWith(sep) ? `${name}index.html` : name)
  return file.startsWith(join(folder, sep)) && statOf(file)?.isFile() === true ? file : undefined
}

/** `port` 0: any that is free. Rejects with the system's error where the port is taken. */
export const servePage = (folder: string, port: number): Promise<ServedPage> => {
  const server = createServer(({ method, url = '/' }, response) => {
    const file = method === 'GET' || method === 'HEAD' ? fileAt(folder, url) : undefined
    if (file === undefined) {
      response.writeHead(404, { 'content-type': 'text/plain' }).end('there is no such file\n')
      return
    }
    response.writeHead(200, { 'content-type': TYPES[extname(file)] ?? 'application/octet-stream', 'cache-control': 'no-cache' })
    if (method === 'HEAD') response.end()
    else createReadStream(file).pipe(response)
  })
  return new Promise((done, failed) => {
    server.once('error', failed)
    server.listen(port, '127.0.0.1', () => done({
      address: `http://127.0.0.1:${(server.address() as AddressInfo).port}/`,
      close: () => new Promise((closed) => {
        server.close(() => closed())
        server.closeAllConnections()
      }),
    }))
  })
}
