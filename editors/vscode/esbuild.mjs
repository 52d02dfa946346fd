// Bundles the extension into one file; with `--test`, the unit tests beside it.
import { build } from 'esbuild';

const test = process.argv.includes('--test');

await build({
  entryPoints: [test ? 'test/program.test.ts' : 'src/extension.ts'],
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
