// Where a capture folder is dropped, or chosen.
import { useRef, useState } from 'preact/hooks'
import { filesOfDrop, filesOfPicker, handedIn } from './dropped.js'
import type { Handed } from './pack.js'

interface Props {
  onHanded(handed: Handed): void
  onFailed(why: string): void
}

export const DropZone = ({ onHanded, onFailed }: Props) => {
  const [over, setOver] = useState(false)
  const folder = useRef<HTMLInputElement>(null)
  const files = useRef<HTMLInputElement>(null)
  const take = async (found: ReturnType<typeof filesOfDrop> | ReturnType<typeof filesOfPicker>): Promise<void> => {
    try {
      onHanded(await handedIn(await found))
    } catch (error) {
      onFailed((error as Error).message)
    }
  }
  return (
    <div
      class={`drop ${over ? 'over' : ''}`}
      onDragOver={(event) => { event.preventDefault(); setOver(true) }}
      onDragLeave={() => setOver(false)}
      onDrop={(event) => {
        event.preventDefault()
        setOver(false)
        if (event.dataTransfer !== null) void take(filesOfDrop(event.dataTransfer))
      }}
    >
      <p><b>Drop a capture folder here</b>, or text of Linux's iommu debugfs</p>
      <p class="aside">meta.json · registers.json · tables.json · tables.bin. They are read here, and go nowhere.</p>
      <p class="tools">
        <button type="button" onClick={() => folder.current?.click()}>Choose a folder</button>
        <button type="button" onClick={() => files.current?.click()}>Choose files</button>
      </p>
      <input ref={folder} class="unseen" type="file" tabIndex={-1} aria-label="capture folder" {...{ webkitdirectory: true }}
        onChange={(event) => event.currentTarget.files !== null && void take(filesOfPicker(event.currentTarget.files))} />
      <input ref={files} class="unseen" type="file" multiple tabIndex={-1} aria-label="capture files"
        onChange={(event) => event.currentTarget.files !== null && void take(filesOfPicker(event.currentTarget.files))} />
    </div>
  )
}
