// Reruns a finding by a variant: the statement fails on the variant, and holds on the driver itself.
import { allStatements, runStatement } from '@iommu/conformance'
import type { Backend, DriverVariant } from '@iommu/conformance'
import { createStage, renderFilm } from '@iommu/film'
import { loadDriver } from '../driver-modules.js'
import type { Finding, Proof, Rerun, Shot } from './finding.js'
import { scenes } from './scenes.js'

type VariantProof = Extract<Proof, { readonly by: 'variant' }>

const filmOf = async (backend: Backend, variant: DriverVariant, { from, to, pasid, alive }: Shot): Promise<string[]> => {
  const { createDriver, adversary } = variant
  const used = [pasid, alive].filter((each) => each !== undefined)
  const stage = createStage(backend, { createDriver, ...(adversary === undefined ? {} : { adversary }), pasids: used })
  const { points } = stage.scene
  const [rid] = points
  const point = pasid === undefined ? rid : points.find((each) => each.pasid === pasid)
  const other = points.find((each) => each.pasid === alive && alive !== undefined)
  if (rid === undefined || point === undefined) throw new RangeError(`${backend.backend} has no such point`)
  await stage.set(rid, pasid === undefined ? from : 'paging')
  if (pasid !== undefined) await stage.set(point, from)
  if (other !== undefined) await stage.set(other, 'paging')
  return renderFilm(await stage.set(point, to))
}

export const rerunVariant = async ({ id, statement }: Finding, { driver, variant: name, film }: VariantProof): Promise<Rerun> => {
  const { backends, variants } = await loadDriver(driver)
  const variant = variants.find((each) => each.id === name)
  const backend = backends.find((each) => variant?.on?.includes(each.backend) === true)
  const rule = allStatements.find((each) => each.id === statement)
  if (variant === undefined || backend === undefined || rule === undefined) throw new RangeError(`the proof of ${id} names what is not there`)
  const { createAdversary } = backend
  const broken: Backend = {
    ...backend,
    createDriver: variant.createDriver,
    ...(createAdversary === undefined || variant.adversary === undefined ? {} : {
      createAdversary: (machine, options) => createAdversary(machine, { ...options, ...variant.adversary }),
    }),
  }
  const there = runStatement(rule, broken)
  const here = runStatement(rule, backend)
  const lines = film === 'scene' ? scenes[id]?.(broken) : await filmOf(backend, variant, film)
  return {
    reproduced: there.status === 'failed' && here.status === 'passed',
    observed: [
      there.status === 'failed' ? `${statement} fails: ${there.reason ?? ''}` : `${statement} holds with the variant, and should not`,
      ...(here.status === 'passed' ? [] : [`${statement} does not hold of the driver itself: ${here.reason ?? here.status}`]),
    ],
    ...(lines === undefined ? {} : { film: lines }),
  }
}
