import type { NextConfig } from 'next'

// In this repository the package is TypeScript. The published package needs no `transpilePackages`.
const config: NextConfig = {
  transpilePackages: ['@countersign/client'],
  turbopack: { root: import.meta.dirname },
}

export default config
