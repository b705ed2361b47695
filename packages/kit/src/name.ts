// A driver's name, as it is spelled in packages and in identifiers.

/** `acme` of `driver-acme`, and `Acme` of `createAcme`. */
export interface DriverName {
  readonly kebab: string
  readonly pascal: string
}

/** Reads "acme", "driver-acme" or "my-chip"; undefined for what cannot be a package's name and an identifier. */
export const readName = (text: string): DriverName | undefined => {
  const kebab = text.replace(/^driver-/, '')
  if (!/^[a-z][a-z0-9]*(-[a-z0-9]+)*$/.test(kebab)) return undefined
  const pascal = kebab.split('-').map((part) => `${part.slice(0, 1).toUpperCase()}${part.slice(1)}`).join('')
  return { kebab, pascal }
}
