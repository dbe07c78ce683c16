/**
 * The package as its users get it: packed, installed in an empty project without a compiler, and used from CommonJS,
 * from ECMAScript modules and inside a worker_thread. Run by `npm run test:package`.
 */
import { spawnSync } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  realpathSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, dirname, join } from 'node:path';

const root = join(__dirname, '..', '..');
const scratch = realpathSync(mkdtempSync(join(tmpdir(), 'msn-package-')));
afterAll(() => rmSync(scratch, { recursive: true, force: true }));

interface Outcome {
  status: number | null;
  output: string;
  errors: string;
}

function run(command: string, args: string[], cwd: string, env: NodeJS.ProcessEnv = {}): Outcome {
  const { status, stdout, stderr, error } = spawnSync(command, args, {
    cwd,
    encoding: 'utf8',
    env: { ...clean(process.env), ...env },
  });
  if (error !== undefined) throw error;
  return { status, output: stdout, errors: stderr };
}

/** The environment without what npm tells the scripts of this checkout, and without a choice of CUDA module. */
function clean(env: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  return Object.fromEntries(
    Object.entries(env).filter(
      ([name]) =>
        !/^(npm_(lifecycle|package|config_local|command)|INIT_CWD|JEST_|NODE_ENV|MSN_CUDA)/.test(name),
    ),
  );
}

/** A PATH with Node, npm and a shell, and nothing that compiles. */
function pathWithoutCompilers(): string {
  const tools = join(scratch, 'tools');
  mkdirSync(tools);
  const npm = (process.env.PATH ?? '')
    .split(delimiter)
    .map((folder) => join(folder, 'npm'))
    .find(existsSync);
  if (npm === undefined) throw new Error('npm is not on PATH');
  symlinkSync(process.execPath, join(tools, 'node'));
  symlinkSync(npm, join(tools, 'npm'));
  symlinkSync('/bin/sh', join(tools, 'sh'));
  return tools;
}

function emptyProject(name: string): string {
  const folder = join(scratch, name);
  mkdirSync(folder);
  writeFileSync(join(folder, 'package.json'), JSON.stringify({ name, version: '1.0.0', private: true }));
  return folder;
}

const config = {
  model_type: 'llama',
  vocab_size: 64,
  hidden_size: 32,
  intermediate_size: 48,
  num_hidden_layers: 2,
  num_attention_heads: 4,
  num_key_value_heads: 2,
  max_position_embeddings: 256,
};
/** Makes a tiny model and prints what it generates: the body of a function that is given the package. */
const body = `
  const model = await makesomenoise.createModel(${JSON.stringify(config)}, { seed: 1 });
  const options = { tokens: Int32Array.of(1, 2, 3), maxNewTokens: 12, eosTokens: [] };
  const { tokens } = await makesomenoise.generate(model, options);
  const plain = await makesomenoise.generate(model, { ...options, decoding: { method: 'autoregressive' } });
  if (String(tokens) !== String(plain.tokens)) throw new Error('the methods differ');
  await model[Symbol.asyncDispose]();
`;

let tarball: string;
let project: string;
let path: string;

beforeAll(() => {
  path = pathWithoutCompilers();
  // The CUDA module takes minutes to compile; a stand-in shows below where it goes.
  const packed = run('npm', ['pack', '--pack-destination', scratch], root, { MSN_CUDA: 'OFF' });
  expect(packed.errors).toContain('prebuild: without the CUDA module, because MSN_CUDA is OFF');
  if (packed.status !== 0) throw new Error(packed.output + packed.errors);
  tarball = join(
    scratch,
    readdirSync(scratch).find((name) => name.endsWith('.tgz'))!,
  );
  project = emptyProject('user');
  const installed = run('npm', ['install', '--no-audit', '--no-fund', tarball], project, { PATH: path });
  if (installed.status !== 0) throw new Error(installed.output + installed.errors);
}, 600_000);

const useIt = (file: string, code: string): string => {
  writeFileSync(join(project, file), code);
  const { status, output, errors } = run(process.execPath, [file], project, { PATH: path });
  expect({ status, errors }).toEqual({ status: 0, errors: '' });
  return output;
};

test('the tarball holds what runs and what compiles, and nothing else', () => {
  const installed = join(project, 'node_modules', 'makesomenoise');
  expect(readdirSync(installed).sort()).toEqual(
    expect.arrayContaining([
      'CMakeLists.txt',
      'LICENSE',
      'NOTICE',
      'dist',
      'native',
      'package.json',
      'prebuilds',
      'scripts',
    ]),
  );
  for (const absent of [
    'ts',
    'test',
    'bench',
    'build',
    'node_modules',
    'native/testing',
    'kernels/shim',
    '.ci',
    'tsconfig.json',
  ])
    expect([absent, existsSync(join(installed, absent))]).toEqual([absent, false]);
  const files = readdirSync(installed, { recursive: true }) as string[];
  expect(files.filter((name) => /\.(js|ts)\.map$/.test(name))).toEqual([]);
  expect(files.filter((name) => name.endsWith('.node'))).toHaveLength(1);
  expect(files.filter((name) => name.includes('.so'))).toEqual([]);
  expect(files.filter((name) => /^kernels.*\.cu$/.test(name)).length).toBeGreaterThan(10);
});

describe('with the CUDA module', () => {
  const moduleFile = 'libmakesomenoise_cuda.so';
  const platform = `${process.platform}-${process.arch}`;

  test('the tarball holds it beside the addon, and nothing of the shim', () => {
    const placed = join(root, 'prebuilds', platform, moduleFile);
    writeFileSync(placed, 'a stand-in');
    try {
      const packed = run('npm', ['pack', '--dry-run', '--json', '--ignore-scripts'], root);
      const [{ files }] = JSON.parse(packed.output) as [{ files: Array<{ path: string }> }];
      const paths = files.map((file) => file.path);
      expect(paths).toContain(`prebuilds/${platform}/${moduleFile}`);
      expect(paths.filter((name) => name.includes('shim'))).toEqual([]);
    } finally {
      rmSync(placed);
    }
  });

  test('the installed package finds it beside the addon and uses it where a GPU is', () => {
    const source = join(root, 'test', 'cuda', 'fake_module.cc');
    const beside = join(project, 'node_modules', 'makesomenoise', 'prebuilds', platform, moduleFile);
    const flags = ['-std=c++20', '-O2', '-shared', '-fPIC', `-I${root}`, `-I${join(root, 'native')}`];
    expect(run(process.env.CXX ?? 'g++', [...flags, source, '-o', beside], root)).toMatchObject({
      status: 0,
    });
    try {
      const found = useIt(
        'devices.cjs',
        `const { devices, createModel } = require('makesomenoise');
         createModel(${JSON.stringify(config)}).then((model) => {
           console.log(devices().map(({ kind, name }) => kind + ' ' + name).join('; '), model.info.device);
         });`,
      );
      expect(found).toMatch(/^cpu .+; cuda:0 Fake GPU cuda:0$/m);
    } finally {
      rmSync(beside);
    }
  });
});

test('CommonJS, ECMAScript modules and a worker_thread generate the same tokens', () => {
  const commonJs = useIt(
    'use.cjs',
    `const makesomenoise = require('makesomenoise');
     (async () => { ${body} console.log(String(tokens)); })();`,
  );
  expect(commonJs.trim().split(',')).toHaveLength(12);
  const module = useIt(
    'use.mjs',
    `import * as makesomenoise from 'makesomenoise';
     import { generate, MakeSomeNoiseError } from 'makesomenoise';
     if (typeof generate !== 'function' || typeof MakeSomeNoiseError !== 'function') throw new Error('no named exports');
     ${body} console.log(String(tokens));`,
  );
  expect(module).toBe(commonJs);
  const worker = useIt(
    'worker.cjs',
    `const { Worker, isMainThread, parentPort } = require('node:worker_threads');
     if (isMainThread) {
       new Worker(__filename).once('message', (tokens) => console.log(tokens));
     } else {
       const makesomenoise = require('makesomenoise');
       (async () => { ${body} parentPort.postMessage(String(tokens)); })();
     }`,
  );
  expect(worker).toBe(commonJs);
});

test('the command line starts', () => {
  const { status, output } = run(join(project, 'node_modules', '.bin', 'msn'), ['--version'], project, {
    PATH: path,
  });
  expect({ status, output: output.trim() }).toEqual({
    status: 0,
    output: (JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { version: string }).version,
  });
});

test('types are found by a strict TypeScript project', () => {
  writeFileSync(
    join(project, 'use.mts'),
    `import { createModel, generate, MakeSomeNoiseError, type Model } from 'makesomenoise';
     const model: Model = await createModel(${JSON.stringify(config)});
     const { text, stats } = await generate(model, { tokens: Int32Array.of(1) });
     console.log(text.length, stats.tokensPerStep.toFixed(2), MakeSomeNoiseError.name);`,
  );
  const args = [
    '--noEmit',
    '--strict',
    '--module',
    'node16',
    '--target',
    'es2022',
    '--lib',
    'es2023,esnext.disposable',
  ];
  const types = ['--types', 'node', '--typeRoots', join(root, 'node_modules', '@types')];
  const tsc = join(dirname(require.resolve('typescript/package.json')), 'bin', 'tsc');
  const { status, output } = run(
    process.execPath,
    [tsc, ...args, ...types, '--skipLibCheck', 'use.mts'],
    project,
  );
  expect({ status, output }).toEqual({ status: 0, output: '' });
});

describe('on a platform without a prebuild', () => {
  const withoutPrebuild = (name: string, env: NodeJS.ProcessEnv): { folder: string; installed: Outcome } => {
    const folder = emptyProject(name);
    // The same files, as a tarball whose prebuilds were for other platforms.
    const unpacked = join(scratch, `${name}-package`);
    mkdirSync(unpacked);
    const args = ['xzf', tarball, '-C', unpacked, '--strip-components=1', '--exclude=*.node'];
    expect(run('tar', args, scratch).status).toBe(0);
    const installed = run(
      'npm',
      ['install', '--no-audit', '--no-fund', '--install-links', '--foreground-scripts', unpacked],
      folder,
      env,
    );
    return { folder, installed };
  };

  test('MSN_SKIP_BUILD=1 installs, and the error at the first use says what to do', () => {
    const { folder, installed } = withoutPrebuild('skipping', { PATH: path, MSN_SKIP_BUILD: '1' });
    expect(installed).toMatchObject({ status: 0 });
    writeFileSync(
      join(folder, 'use.cjs'),
      `(async () => {
        const { createModel, MakeSomeNoiseError } = require('makesomenoise');
        const error = await createModel(${JSON.stringify(config)}).catch((reason) => reason);
        console.log(error instanceof MakeSomeNoiseError, error.code, error.message);
      })();`,
    );
    const { status, output, errors } = run(process.execPath, ['use.cjs'], folder, { PATH: path });
    expect({ status, errors }).toEqual({ status: 0, errors: '' });
    expect(output).toMatch(/^true ERR_UNSUPPORTED makesomenoise has no native build that loads on /);
    for (const remedy of ['CMake', 'C++20', 'npm approve-scripts makesomenoise', 'npm rebuild makesomenoise'])
      expect(output).toContain(remedy);
  });

  test('without a compiler the install fails and names what it needs', () => {
    const { installed } = withoutPrebuild('failing', { PATH: path });
    expect(installed.status).not.toBe(0);
    const said = installed.output + installed.errors;
    expect(said).toContain('makesomenoise: no ready native build');
    expect(said).toContain('It needs CMake >= 3.20 and a C++20 compiler');
  });
});
