import react from '@vitejs/plugin-react';
import { defineConfig } from 'vite';

const SERVER = 'http://127.0.0.1:8000';

// biome-ignore lint/style/noDefaultExport: Vite reads it as the default export.
export default defineConfig({
  base: '/console/',
  plugins: [react()],
  resolve: { conditions: ['@llmgine/source', 'module', 'browser', 'development|production'] },
  build: {
    // Nothing inline: the server allows scripts and images of its own address only.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    chunkSizeWarningLimit: 700,
  },
  server: { proxy: { '/api': { target: SERVER, ws: true }, '/health': SERVER } },
});
