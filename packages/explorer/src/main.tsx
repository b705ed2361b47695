// Starts the page.
import { render } from 'preact'
import { App } from './app.js'
import './style/page.css'
import './style/bits.css'
import './style/paste.css'
import './style/walk.css'
import './style/play.css'
import './style/classify.css'

const place = document.getElementById('page')
if (place !== null) {
  place.textContent = ''
  render(<App />, place)
}
