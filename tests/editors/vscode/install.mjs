// Puts VS Code (the one that runs on a server and is shown by a browser), a Node that it runs on, a headless Chromium, fonts and
// Playwright into the folder that is the first argument, unless they are there. All of it comes from npm, and nothing is compiled:
// the modules of VS Code that would have to be are its log and what native programs need, and it runs without them.
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { chmodSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { delimiter, join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';

const platform = `${process.platform}-${process.arch}`;
/** The one platform for which npm has a Chromium; elsewhere it has to be on PATH. */
const hasChromium = platform === 'linux-x64';
const PACKAGES = [
  'code-server@4.139.1', // VS Code 1.139.1
  `node-${platform}@24.16.0`,
  'playwright-core@1.65.1',
  'dejavu-fonts-ttf@2.37.3',
  ...(hasChromium ? ['@sparticuz/chromium@153.0.0'] : []),
];

const folder = resolve(process.argv[2]);
const at = (...parts) => join(folder, 'node_modules', ...parts);
const done = join(folder, 'installed');
const wanted = createHash('sha256')
  .update(readFileSync(new URL(import.meta.url)))
  .digest('hex');

if (!existsSync(done) || readFileSync(done, 'utf8') !== wanted) {
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, 'package.json'), '{ "private": true }');
  npm(folder, 'install', '--no-save', ...PACKAGES);
  // What VS Code itself needs; code-server's own server, which is around it, is not used.
  npm(at('code-server', 'lib', 'vscode'), 'install', '--omit=dev');
  if (hasChromium) {
    await unpackChromium();
  }
  writeFonts();
  writeFileSync(done, wanted);
}

function npm(where, command, ...more) {
  const program = process.platform === 'win32' ? 'npm.cmd' : 'npm';
  const args = [
    command,
    '--ignore-scripts',
    '--no-audit',
    '--no-fund',
    '--loglevel=error',
    ...more,
  ];
  // A child of npm (or of a test that npm started) would inherit its settings.
  const env = Object.fromEntries(
    Object.entries(process.env).filter(
      ([name]) => !/^npm_(config_(local_)?prefix|package|lifecycle)/.test(name),
    ),
  );
  execFileSync(program, args, { cwd: where, env, stdio: ['ignore', 2, 'inherit'] });
}

/** It comes compressed, with the libraries that a bare system lacks. */
async function unpackChromium() {
  const packed = at('@sparticuz', 'chromium');
  const temporary = process.env.TMPDIR;
  process.env.TMPDIR = folder; // where it unpacks to
  const { inflate } = await import(pathToFileURL(join(packed, 'build', 'index.js')).href);
  for (const file of ['chromium.br', 'al2023.tar.br']) {
    await inflate(join(packed, 'bin', file));
  }
  chmodSync(join(folder, 'chromium'), 0o755);
  if (temporary === undefined) {
    delete process.env.TMPDIR;
  } else {
    process.env.TMPDIR = temporary;
  }
}

/** The same fonts on every machine: what is seen in a picture does not depend on where it was taken. */
function writeFonts() {
  writeFileSync(
    join(folder, 'fonts.conf'),
    `<?xml version="1.0"?>
<!DOCTYPE fontconfig SYSTEM "fonts.dtd">
<fontconfig>
<dir>${at('dejavu-fonts-ttf', 'ttf')}</dir>
<cachedir>${join(folder, 'fonts')}</cachedir>
<alias><family>monospace</family><prefer><family>DejaVu Sans Mono</family></prefer></alias>
<match><edit name="family" mode="append_last"><string>DejaVu Sans</string></edit></match>
</fontconfig>
`,
  );
}

/** What is where, for the journey. */
const installed = {
  node: at(`node-${platform}`, 'bin', process.platform === 'win32' ? 'node.exe' : 'node'),
  editor: at('code-server', 'lib', 'vscode', 'out', 'server-main.js'),
  playwright: at('playwright-core', 'index.mjs'),
  chromium: hasChromium
    ? join(folder, 'chromium')
    : onPath('chromium', 'chromium-headless-shell', 'google-chrome'),
  environment: {
    FONTCONFIG_FILE: join(folder, 'fonts.conf'),
    ...(hasChromium ? { LD_LIBRARY_PATH: join(folder, 'al2023', 'lib') } : {}),
  },
};

function onPath(...names) {
  const folders = (process.env.PATH ?? '').split(delimiter);
  const found = names
    .flatMap((name) => folders.map((where) => join(where, name)))
    .find((path) => existsSync(path));
  if (found === undefined) {
    throw new Error(`install Chromium: none of ${names.join(', ')} is on PATH`);
  }
  return found;
}

process.stdout.write(`${JSON.stringify(installed)}\n`);
