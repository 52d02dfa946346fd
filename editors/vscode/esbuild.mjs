// Bundles the extension into one file; with `--test`, each unit test beside it.
import { readdirSync } from 'node:fs';
import { build } from 'esbuild';

const test = process.argv.includes('--test');
const tests = readdirSync('test')
  .filter((name) => name.endsWith('.test.ts'))
  .map((name) => `test/${name}`);

await build({
  entryPoints: test ? tests : ['src/extension.ts'],
  outdir: test ? 'dist/test' : 'dist',
  bundle: true,
  platform: 'node',
  format: 'cjs',
  target: 'node20',
  external: ['vscode'],
  minify: !test,
  sourcemap: test,
  logLevel: 'warning',
});
