// Lint rules of the whole repository: the base, the floors of each package, the rooms of each driver.
import { readdirSync } from 'node:fs'
import { base } from '@iommu-tools/presets/eslint'
import { driverRooms, floorRules } from '@iommu-tools/presets/floors'

const packages = readdirSync(new URL('packages', import.meta.url))

export default [...base, ...packages.map(floorRules), ...driverRooms]
