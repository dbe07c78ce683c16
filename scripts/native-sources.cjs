'use strict';
// What a native build is made of: the files it reads, and one hash of them all.
const crypto = require('node:crypto');
const fs = require('node:fs');
const path = require('node:path');

/** Paths of all files under a folder of `root`, relative to `root`, sorted; none when there is no such folder. */
function filesUnder(root, folder) {
  const absolute = path.join(root, folder);
  if (!fs.existsSync(absolute)) return [];
  return fs
    .readdirSync(absolute, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => path.relative(root, path.join(entry.parentPath ?? entry.path, entry.name)))
    .sort();
}

/** Changes with every source of the package, the build description and the package's version. */
function nativeSourceHash(root) {
  const hash = crypto.createHash('sha256');
  const forTests = [path.join('native', 'testing') + path.sep, path.join('kernels', 'shim') + path.sep];
  const files = [...filesUnder(root, 'native'), ...filesUnder(root, 'kernels'), 'CMakeLists.txt'];
  for (const file of files.filter((name) => !forTests.some((folder) => name.startsWith(folder)))) {
    const content = fs.readFileSync(path.join(root, file));
    hash.update(`${file.split(path.sep).join('/')}\0${content.length}\0`).update(content);
  }
  hash.update(JSON.parse(fs.readFileSync(path.join(root, 'package.json'), 'utf8')).version);
  return hash.digest('hex');
}

module.exports = { filesUnder, nativeSourceHash };
