// Classify: what detach_dev of every driver of May 2022 did to DMA, run here, each to be replayed step by step.
import { classify, subjects, tallySaid } from '@iommu/driver-legacy-nodefault/history'
import type { Classification } from '@iommu/driver-legacy-nodefault/history'
import { useEffect, useState } from 'preact/hooks'
import type { Navigation } from '../route.js'
import { DriverInFull } from './driver-in-full.js'
import { Verdicts } from './verdicts.js'

/** One driver after the other, with the page drawn in between: all of them take a second or two. */
const useClassifications = (): readonly Classification[] => {
  const [found, setFound] = useState<readonly Classification[]>([])
  useEffect(() => {
    const next = subjects[found.length]
    if (next === undefined) return undefined
    const timer = setTimeout(() => setFound([...found, classify(next)]))
    return () => clearTimeout(timer)
  }, [found])
  return found
}

export const ClassifyPage = ({ route: { params }, set }: Navigation) => {
  const found = useClassifications()
  const { driver = '' } = params
  const chosen = found.find((each) => each.driver === driver)
  const subject = subjects.find((each) => each.driver === driver)
  return (
    <>
      <h2 class="unseen">Classify</h2>
      <p class="lead">In May 2022 somebody asked of every detach_dev in Linux: blocking, identity, nothing, or something weird? Each body, as of 5.18, is run
        here on a model of its hardware: attach, map, DMA, detach, DMA. The verdict is read off the answers.</p>
      <p role="status">{found.length < subjects.length ? `${found.length} of ${subjects.length} have run …` : tallySaid(found)}</p>
      {chosen !== undefined && subject !== undefined && <DriverInFull classification={chosen} subject={subject} warm={params['warm'] === 'yes'} onWarm={(warm) => set({ warm: warm ? 'yes' : '' })} />}
      <Verdicts found={found} chosen={driver} onChoose={(name) => set({ driver: name === driver ? '' : name })} />
    </>
  )
}
