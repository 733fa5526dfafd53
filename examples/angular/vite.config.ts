import { defineConfig } from 'vite'

const { AUTHORITY = 'http://localhost:8000', PORT = '5175' } = process.env

export default defineConfig({
  server: {
    port: Number(PORT),
    strictPort: true,
    // The page and the authority share an origin, as behind nginx in production. So there is no CORS.
    proxy: { '/auth': { target: AUTHORITY } },
  },
})
