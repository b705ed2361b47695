// Recorded tables: every device, and the question what becomes of one DMA.
import { findDevice, inspect, readIova, readPasid, walkCapture } from '@iommu/inspect'
import type { Capture } from '@iommu/inspect'
import { useMemo } from 'preact/hooks'
import { useAnswer } from '../parts/answer.js'
import { Choice } from '../parts/choice.js'
import { Notice } from '../parts/notice.js'
import type { Navigation } from '../route.js'
import { DeviceList } from './device-list.js'
import { WalkPath } from './walk-path.js'

interface Props extends Pick<Navigation, 'set'> {
  readonly capture: Capture
  readonly params: Readonly<Record<string, string>>
}

/** Where nothing was asked yet: the first address that anybody would try. */
const FIRST = '0x1000'

export const CaptureView = ({ capture, params, set }: Props) => {
  const inspection = useMemo(() => inspect(capture), [capture])
  const { rid = inspection.devices[0]?.bdf ?? '', pasid = '', iova = FIRST, access = 'read' } = params
  const answer = useAnswer(() => {
    const device = findDevice(capture, rid)
    const number = pasid.trim() === '' ? undefined : readPasid(pasid.trim())
    const question = { source: device.requesterId, iova: readIova(iova), access: access === 'write' ? 'write' : 'read', ...(number === undefined ? {} : { pasid: number }) } as const
    return { title: `${device.bdf}${number === undefined ? '' : ` PASID ${number}`}`, result: walkCapture(capture, question) }
  }, [capture, rid, pasid, iova, access])
  return (
    <>
      <DeviceList inspection={inspection} chosen={{ rid, pasid }} onChoose={(device, number) => set({ rid: device, pasid: number })} />
      <h2>One DMA, step by step</h2>
      <form class="question" onSubmit={(event) => event.preventDefault()}>
        <label>device <input value={rid} spellcheck={false} size={13} onInput={(event) => set({ rid: event.currentTarget.value })} /></label>
        <label>PASID <input value={pasid} spellcheck={false} size={6} placeholder="none" onInput={(event) => set({ pasid: event.currentTarget.value })} /></label>
        <label>address <input value={iova} spellcheck={false} size={16} onInput={(event) => set({ iova: event.currentTarget.value })} /></label>
        <Choice label="access" value={access} options={[{ value: 'read', label: 'read' }, { value: 'write', label: 'write' }]} onChoose={(value) => set({ access: value })} />
      </form>
      {answer.state === 'failed' && <Notice kind="wrong">{answer.why}</Notice>}
      {answer.state === 'here' && <WalkPath {...answer.value} />}
    </>
  )
}
