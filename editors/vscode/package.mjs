// Packages the extension:
//   node package.mjs                                 for all platforms, without the server
//   node package.mjs --target linux-x64              for one
//   node package.mjs --target linux-x64 --server P   with the server's program P inside
//   node package.mjs --all                           for each platform
//   node package.mjs --all --servers FOLDER          with FOLDER/<target>/orchestrator (or .exe) inside
import {
  chmodSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { basename, extname, join } from 'node:path';
import { parseArgs } from 'node:util';
import { createVSIX } from '@vscode/vsce';

const TARGETS = [
  'linux-x64',
  'linux-arm64',
  'linux-armhf',
  'alpine-x64',
  'alpine-arm64',
  'darwin-x64',
  'darwin-arm64',
  'win32-x64',
  'win32-arm64',
];
/** The extension itself, without a server. */
const MOST_BYTES = 300_000;

const README = 'dist/README.md';

const { values } = parseArgs({
  options: {
    target: { type: 'string' },
    all: { type: 'boolean', default: false },
    server: { type: 'string' },
    servers: { type: 'string' },
  },
});

const targets = values.all ? TARGETS : [values.target];
for (const target of targets) {
  if (target !== undefined && !TARGETS.includes(target)) {
    throw new Error(`${target} is no platform; known are ${TARGETS.join(', ')}`);
  }
  await pack(target, serverFor(target));
}

function serverFor(target) {
  if (values.servers === undefined) {
    return values.server;
  }
  const program = target?.startsWith('win32') ? 'orchestrator.exe' : 'orchestrator';
  return join(values.servers, target ?? '', program);
}

async function pack(target, server) {
  if (server !== undefined && target === undefined) {
    throw new Error('a server runs on one platform: say which with --target');
  }
  const { name, version } = JSON.parse(readFileSync('package.json', 'utf8'));
  const path = `${[name, target, version].filter(Boolean).join('-')}.vsix`;
  rmSync('server', { recursive: true, force: true });
  rmSync(path, { force: true });
  mkdirSync('dist', { recursive: true });
  // The pictures stay in the checkout: they are larger than all the rest.
  const readme = readFileSync('README.md', 'utf8').replaceAll(/^!\[.*\n\n/gm, '');
  writeFileSync(README, readme);
  if (server !== undefined) {
    mkdirSync('server');
    const inside = join('server', `orchestrator${extname(basename(server))}`);
    copyFileSync(server, inside);
    chmodSync(inside, 0o755);
  }
  try {
    await createVSIX({
      dependencies: false,
      allowMissingRepository: true,
      readmePath: README,
      packagePath: path,
      ...(target ? { target } : {}),
    });
  } finally {
    rmSync('server', { recursive: true, force: true });
  }
  if (!existsSync(path)) {
    throw new Error(`${path} was not made`);
  }
  const { size } = statSync(path);
  console.log(`${path}: ${String(size)} bytes`);
  if (server === undefined && size > MOST_BYTES) {
    throw new Error(`${path} has more than ${String(MOST_BYTES)} bytes`);
  }
}
