'use strict';
// Removes dist/, so that a package holds nothing whose source is gone.
const fs = require('node:fs');
const path = require('node:path');

fs.rmSync(path.join(__dirname, '..', 'dist'), { recursive: true, force: true });
