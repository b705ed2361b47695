// What the bundler takes besides scripts: styles for their effect, files as texts and as data addresses.
declare module '*.css'
declare module '*?raw' {
  const text: string
  export { text as default }
}
declare module '*?inline' {
  const address: string
  export { address as default }
}
