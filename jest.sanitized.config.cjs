/**
 * The tests that reach native code, for the sanitized build: npm run test:sanitize.
 * @type {import('jest').Config}
 */
module.exports = {
  ...require('./jest.config.cjs'),
  roots: ['addon', 'backend', 'cpu', 'model', 'ops', 'runtime'].map((room) => `<rootDir>/test/${room}`),
  // A sanitizer keeps freed memory for a while, so resident memory says nothing.
  testPathIgnorePatterns: ['/node_modules/', '<rootDir>/test/addon/memory.test.ts'],
  setupFiles: ['<rootDir>/test/support/short-properties.ts'],
  maxWorkers: 1,
  testTimeout: 120_000,
};
