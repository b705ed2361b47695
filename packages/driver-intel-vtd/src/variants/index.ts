// Variants: the driver, broken or changed in one named way.
export {}
