// Hands on what is printed, and says whether a file shows the same: npm start | node screen.js README.md 'npm start'
import { missingLine, screenOf } from './screens.js'

const [file, command] = process.argv.slice(2)
let printed = ''
process.stdin.setEncoding('utf8')
for await (const piece of process.stdin) {
  process.stdout.write(piece)
  printed += piece
}
const missing = missingLine(screenOf(file, command), printed)
if (missing !== undefined) {
  process.stderr.write(`${file} shows of ${command} what it does not print: ${missing}\n`)
  process.exitCode = 1
}
