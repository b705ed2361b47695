// Copies a text, and says that it did.
import { useState } from 'preact/hooks'

/** Where the clipboard is not to be had (a page from a disk, a refusal), the browser's own prompt shows the text. */
const copy = async (text: string): Promise<boolean> => {
  try {
    await navigator.clipboard.writeText(text)
    return true
  } catch {
    prompt('Copy this:', text)
    return false
  }
}

export const CopyButton = ({ label, text }: { readonly label: string; text(): string }) => {
  const [said, say] = useState(label)
  const run = async (): Promise<void> => {
    if (!(await copy(text()))) return
    say('copied')
    setTimeout(() => say(label), 1500)
  }
  return <button type="button" class="quiet" onClick={() => void run()}><span aria-live="polite">{said}</span></button>
}
