import { countersign } from './lib/countersign'

export const proxy = countersign.proxy

export const config = {
  // Everything except the files of the application and what its links prefetch.
  matcher: [
    {
      source: '/((?!_next/static|_next/image|favicon.ico).*)',
      missing: [
        { type: 'header', key: 'next-router-prefetch' },
        { type: 'header', key: 'purpose', value: 'prefetch' },
      ],
    },
  ],
}
