import vue from '@vitejs/plugin-vue'
import { defineConfig } from 'vite'

const { AUTHORITY = 'http://localhost:8000', PORT = '5174' } = process.env

export default defineConfig({
  plugins: [vue()],
  server: {
    port: Number(PORT),
    strictPort: true,
    // The page and the authority share an origin, as behind nginx in production. So there is no CORS.
    proxy: { '/auth': { target: AUTHORITY } },
  },
})
