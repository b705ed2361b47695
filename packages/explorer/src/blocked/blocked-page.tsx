// Why blocked: recorded tables, dropped or chosen; every device, and the way of a DMA.
import { useState } from 'preact/hooks'
import { useAnswer } from '../parts/answer.js'
import { LinkButton } from '../parts/link-button.js'
import { Notice } from '../parts/notice.js'
import type { Navigation } from '../route.js'
import { CaptureView } from './capture-view.js'
import { DropZone } from './drop-zone.js'
import { CAPTURE_EXAMPLES } from './examples.js'
import { captureOf, pack, unpack } from './pack.js'
import type { Handed } from './pack.js'

export const BlockedPage = ({ route: { params }, set, linked }: Navigation) => {
  const [failed, fail] = useState<string>()
  const { tables = '' } = params
  const answer = useAnswer(async () => {
    if (tables === '') return undefined
    const handed = await unpack(tables)
    return { name: handed.name, capture: await captureOf(handed) }
  }, [tables])
  const take = async (handed: Handed, ask: Readonly<Record<string, string>>): Promise<void> => {
    fail(undefined)
    set({ rid: '', pasid: '', iova: '', access: '', ...ask, tables: await pack(handed) })
  }
  const asked = Object.fromEntries(Object.entries(params).filter(([, value]) => value !== ''))
  const loaded = answer.state === 'here' ? answer.value : undefined
  return (
    <>
      <h2 class="unseen">Why blocked</h2>
      <DropZone onHanded={(handed) => void take(handed, {})} onFailed={fail} />
      <p class="examples"><span>Recorded from Linux</span>{CAPTURE_EXAMPLES.map(({ label, ask, load }) => (
        <button key={label} type="button" class="chip" onClick={() => void load().then((handed) => take(handed, ask))}>{label}</button>
      ))}</p>
      {failed !== undefined && <Notice kind="wrong">{failed}</Notice>}
      {answer.state === 'failed' && <Notice kind="wrong">{answer.why}</Notice>}
      {loaded !== undefined && (
        <>
          <p class="tools"><span class="aside">{loaded.name}</span> <LinkButton linked={linked} label="copy a link to this, tables included" /></p>
          <CaptureView capture={loaded.capture} params={asked} set={set} />
        </>
      )}
    </>
  )
}
